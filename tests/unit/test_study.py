import datetime as dt
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from trajectories.exceptions import StudyError
from trajectories.study import Disclosure, Paths, Study

ROOT = Path(__file__).parents[2]


def test_the_file_of_the_repository_holds_the_defaults():
    study = Study.read(ROOT / "study.toml")
    plain = Study.from_mapping({}, folder=ROOT)
    assert study == plain


def test_the_file_of_the_repository_names_every_setting():
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    # those without a default that could be written down stand behind a #
    optional = {"cutoff", "linkage_model"}
    assert set(tomllib.loads(text)) | optional == set(Study.__dataclass_fields__)
    assert all(f"# {name} = " in text for name in optional)


def test_a_cohort_may_be_drawn_another_way():
    asked = Study().with_cohort(perimeter="CMM", scope="any_region", pathway="secondary")
    assert (asked.perimeter, asked.scope, asked.pathway) == ("CMM", "any_region", "secondary")
    assert asked.with_cohort(pathway="all").pathway is None
    assert Study().with_cohort() == Study()
    with pytest.raises(StudyError, match="--pathway"):
        Study().with_cohort(pathway="tertiary")


def test_a_study_made_in_python_is_checked_as_a_file_is():
    with pytest.raises(StudyError) as caught:
        Study(
            scope="regions",
            pathway="secondaire",
            horizons=(12, 6),
            seed=None,
            paths=Paths(raw=3),
            disclosure=Disclosure(round="five"),
            targets={("5", "2021-2022"): 3, ("05", "2021-2022"): -3},
        )
    keys = [fault.split(" is ")[0] for fault in caught.value.faults]
    assert sorted(keys) == [
        "disclosure.round",
        "horizons",
        "paths.raw",
        "pathway",
        "scope",
        "seed",
        "targets.05.2021-2022",
        "targets.5",
    ]
    with pytest.raises(StudyError, match="perimeter is 'CMQ'"):
        replace(Study(), perimeter="CMQ")
    with pytest.raises(StudyError, match=r"groups is .*: it must be a section \[groups\]"):
        Study(groups=Paths())


def test_a_study_made_in_python_equals_that_of_a_file_and_can_be_a_key():
    content = {"horizons": [6, 12], "pathway": "all", "groups": {"Est": ["01"]}, "targets": {"05": {"2021-2022": 3}}}
    made = Study(horizons=[6, 12], groups={"Est": ["01"]}, targets={("05", "2021-2022"): 3})
    assert made == Study.from_mapping(content)
    assert hash(made) == hash(Study.from_mapping(content))
    with pytest.raises(TypeError):
        made.groups["Nord"] = ("09",)


def test_an_unknown_setting_is_told_with_the_nearest_that_exists():
    with pytest.raises(StudyError, match=r"horizon: no such setting \(did you mean horizons\?\)"):
        Study.from_mapping({"horizon": [3]})
    with pytest.raises(StudyError, match=r"paths\.row: no such setting \(did you mean raw\?\)"):
        Study.from_mapping({"paths": {"row": "data"}})
    with pytest.raises(StudyError, match="xyz: no such setting; the settings are cutoff, disclosure,"):
        Study.from_mapping({"xyz": 1})


def test_all_faults_are_told_at_once(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(
        'perimeter = "RMR"\nhorizons = [12, 6]\nhorizon = 3\n[disclosure]\nthreshold = 3\n', encoding="utf-8"
    )
    with pytest.raises(StudyError) as caught:
        Study.read(file)
    assert len(caught.value.faults) == 4
    for key in ("perimeter", "horizons", "horizon:", "disclosure.threshold"):
        assert any(fault.startswith(key) for fault in caught.value.faults)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"cutoff": "2021-12-31"}, "cutoff"),
        ({"cutoff": dt.date(9999, 12, 31)}, "cutoff"),
        ({"cutoff": dt.date(1, 1, 1)}, "cutoff"),
        ({"horizons": [12, 10**9]}, "horizons"),
        ({"support": True}, "support"),
        ({"seed": -1}, "seed"),
        ({"horizons": []}, "horizons"),
        ({"horizons": [1.5]}, "horizons"),
        ({"paths": "data"}, "paths"),
        ({"paths": {"row": "data"}}, "paths.row"),
        ({"paths": {"raw": 3}}, "paths.raw"),
        ({"pathway": "tertiary"}, "pathway"),
        ({"match_threshold": 2}, "match_threshold"),
        ({"groups": {"Est": ["1"]}}, "groups.Est"),
        # a region's own numbers would be those of the group, or a page be written over another
        ({"groups": {"05": ["04"]}}, "groups.05"),
        ({"groups": {"Province": ["04"]}}, "groups.Province"),
        ({"groups": {" ": ["04"]}}, "groups. "),
        ({"groups": {"Est du Québec": ["01"], "est-du-quebec": ["11"]}}, "groups.est-du-quebec"),
        ({"groups": ["01"]}, "groups"),
        ({"targets": {"05": {"2021-2022": -3}}}, "targets.05.2021-2022"),
        ({"targets": {"5": {}}}, "targets.5"),
    ],
)
def test_a_fault_names_its_key(content, key):
    with pytest.raises(StudyError) as caught:
        Study.from_mapping(content)
    (fault,) = caught.value.faults
    assert fault.startswith((f"{key} is ", f"{key}: "))


def test_a_missing_file_and_what_is_no_toml_are_sentences(tmp_path):
    with pytest.raises(StudyError, match="does not exist"):
        Study.read(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="UTF-8"):
        Study.read(tmp_path / "study.toml")
    (tmp_path / "study.toml").write_text("a = = 3", encoding="utf-8")
    with pytest.raises(StudyError, match="TOML"):
        Study.read(tmp_path / "study.toml")


def test_a_folder_is_no_study_file(tmp_path):
    with pytest.raises(StudyError, match="cannot be read"):
        Study.read(tmp_path)


def test_paths_are_taken_from_the_folder_of_the_file_and_the_command_line_wins(tmp_path):
    (tmp_path / "study.toml").write_text('cutoff = 2021-12-31\n[paths]\nraw = "depots"\n', encoding="utf-8")
    study = Study.read(tmp_path / "study.toml")
    assert study.paths.raw == tmp_path / "depots"
    assert study.cutoff == dt.date(2021, 12, 31)
    assert study.with_folders(raw="elsewhere").paths.raw == Path("elsewhere")
    assert study.with_folders(raw="elsewhere").paths.derived == study.paths.derived


def test_targets_and_groups_are_read():
    study = Study.from_mapping({"groups": {"Est": ["01", "11"]}, "targets": {"05": {"2021-2022": 120}}})
    assert study.groups["Est"] == ("01", "11")
    assert study.targets["05", "2021-2022"] == 120


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"threshold": 4}, "threshold is 4: it must be 5 or more"),
        ({"threshold": 12}, "does not divide threshold"),
        ({"round": 1}, "round is 1"),
        ({"households": 0}, "households is 0"),
        ({"rate_denominator": 5}, "rate_denominator is 5"),
        ({"suppression": False}, "no such setting"),
    ],
)
def test_a_study_that_switches_a_publication_rule_off_is_refused_when_it_is_read(rules, sentence):
    with pytest.raises(StudyError, match=sentence):
        Study.from_mapping({"disclosure": rules})
    assert Study.from_mapping({"disclosure": {"threshold": 15, "households": 8}}).disclosure.threshold == 15
