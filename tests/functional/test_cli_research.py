"""The commands of whoever checks or studies: cohort, person, train, and the clerical review between two builds."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from commands import call
from trajectories import tables
from trajectories.linkage.review import FILE

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Deposits of 80 households and their build, beside the repository's study.toml."""
    folder = tmp_path_factory.mktemp("research")
    (folder / "study.toml").write_text((ROOT / "study.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert call("simulate", "--out", folder / "data", "--households", 80, "--organisations", 5, "--seed", 6) == 0
    assert call("build", "--study", folder / "study.toml") == 0
    return folder


def study_of(project):
    return "--study", project / "study.toml"


@pytest.mark.thorough
def test_the_cohort_of_another_perimeter_and_scope_stands_beside_the_build(project, capsys):
    before = (project / "data/derived/cohort.parquet").read_bytes()
    assert call("cohort", *study_of(project), "--perimeter", "CMM", "--scope", "any_region") == 0
    out = Path(capsys.readouterr().out.splitlines()[-1])
    assert out == project / "data" / "derived" / "cohorts" / "CMM_any_region"
    assert (out.stat().st_mode & 0o777) == 0o700
    cohort = tables.load(tables.COHORT, out)
    assert set(cohort["perimeter"]) == {"CMM"}
    assert set(cohort["scope"]) == {"any_region"}
    assert set(cohort["exit"].dropna()) <= {"metropole", "outside_quebec", "unknown_destination"}
    assert tables.read_metadata(tables.SPELLS, out)["perimeter"] == "CMM"
    assert (project / "data/derived/cohort.parquet").read_bytes() == before


@pytest.mark.thorough
def test_one_pathway_keeps_its_own_contacts(project):
    assert call("cohort", *study_of(project), "--pathway", "primary", "--out", project / "primary") == 0
    cohort = tables.load(tables.COHORT, project / "primary")
    contacts = tables.load(tables.CONTACTS, project / "primary")
    assert set(cohort["pathway"]) == {"primary"}
    keys = ["person_id", "episode"]
    assert set(map(tuple, contacts[keys].to_numpy())) <= set(map(tuple, cohort[keys].to_numpy()))


def test_an_unknown_perimeter_and_scope_are_told_at_once(project, capsys):
    assert call("cohort", *study_of(project), "--perimeter", "CMQ", "--scope", "town") == 2
    error = capsys.readouterr().err
    assert "--perimeter is 'CMQ'" in error
    assert "--scope is 'town'" in error


def test_a_persons_story_is_written_into_sensitive_only(project, capsys):
    persons = tables.load(tables.PERSONS, project / "data" / "derived")
    conflicts = tables.load(tables.CONFLICTS, project / "data" / "derived")
    asked = conflicts["person_id"].iloc[0]
    assert call("person", asked, *study_of(project)) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == project / "reports" / "sensitive" / "persons" / f"{asked}.txt"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    story = path.read_text(encoding="utf-8")
    for title in ("Liens entre dossiers", "Ce qui est attesté", "Épisodes de résidence", "Décisions contre une source"):
        assert title in story
    # each record is in it, by file and row; no name is
    records = tables.load(tables.RECORDS, project / "data" / "derived").merge(persons, on="record_id")
    mine = records[records["person_id"].eq(asked)]
    assert all(re.search(rf"{re.escape(row.file)}.* ligne {row.row}\b", story) for row in mine.itertuples())
    assert not any(name in story for name in mine["family_name"].dropna())


@pytest.mark.parametrize("asked", ["P0123456789abcdef", "../../study.toml", "x"])
def test_a_person_who_is_not_there_is_a_sentence(project, asked, capsys):
    assert call("person", asked, *study_of(project)) == 2
    assert asked in capsys.readouterr().err


@pytest.mark.thorough
def test_a_trained_model_says_what_changed_and_is_used_when_the_study_names_it(project, capsys, tmp_path):
    assert call("train", *study_of(project), "--out", tmp_path / "model.json", "--version-name", "ours") == 0
    out = capsys.readouterr().out
    assert "birth / same_day: same person" in out
    assert json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))["version"] == "ours"
    study = (project / "study.toml").read_text(encoding="utf-8")
    other = project / "other.toml"
    other.write_text(f'linkage_model = "{tmp_path / "model.json"}"\n{study}', encoding="utf-8")
    assert call("build", "--study", other, "--derived", tmp_path / "derived") == 0
    (tmp_path / "model.json").write_text("{}", encoding="utf-8")
    assert call("build", "--study", other, "--derived", tmp_path / "derived") == 2
    assert "model.json" in capsys.readouterr().err


def test_another_threshold_asks_for_another_build(project, capsys):
    text = (project / "study.toml").read_text(encoding="utf-8")
    text = text.replace("match_threshold = 0.95", "match_threshold = 0.9")
    (project / "lower.toml").write_text(text, encoding="utf-8")
    assert call("report", "--study", project / "lower.toml") == 2
    assert "match_threshold 0.95 (asked: 0.9)" in capsys.readouterr().err


@pytest.mark.thorough
def test_what_a_reviewer_decides_counts_in_the_next_build(project, capsys):
    path = project / "reports" / "sensitive" / "review" / FILE
    assert path.parent.stat().st_mode & 0o777 == 0o700
    lines = pd.read_csv(path, sep=";", dtype=str, encoding="utf-8-sig", keep_default_na=False)
    links = tables.load(tables.LINKS, project / "data" / "derived")
    below = links[links["decision"].eq("below_threshold")]
    asked = lines.merge(below, left_on=["id_1", "id_2"], right_on=["left_id", "right_id"])["id_1"].iloc[0]
    at = lines.index[lines["id_1"].eq(asked)][0]
    lines.loc[at, "decision"] = "même"
    # one more, of a file whose deposit was taken out
    lines.loc[len(lines)] = {"decision": "différent", "id_1": "Fgone", "id_2": asked}
    lines.to_csv(path, sep=";", index=False, encoding="utf-8-sig")
    assert call("build", *study_of(project)) == 0
    assert f"{path}: 1 decided pair(s)" in capsys.readouterr().out
    persons = tables.load(tables.PERSONS, project / "data" / "derived").drop_duplicates("identity_id")
    person = persons.set_index("identity_id")["person_id"]
    assert person[lines.loc[at, "id_1"]] == person[lines.loc[at, "id_2"]]
    again = pd.read_csv(path, sep=";", dtype=str, encoding="utf-8-sig", keep_default_na=False)
    assert again["decision"].iloc[0] == "même"
    assert again.iloc[-1][["decision", "id_1", "id_2"]].tolist() == ["différent", "Fgone", asked]
