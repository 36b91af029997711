"""Four planted kinds of life, told of in deposits, read, linked and reconstructed: does the typology find them again?

Everybody of a kind follows one pattern (worlds/planted_lives.py): stays, is back in the metropole within 8 months,
goes on to another region after 12–18, leaves Québec after 20–26. The clusters are compared with the kinds by the
adjusted Rand index, over the persons who enter.

Without noise every due contact succeeds. At `heavy` rows are typed as badly as the simulator can, and contacts fail as
usual (for 55 % of those who left), on a schedule that reaches the end of the window. With the default schedule, which
ends at month 24, some departures from Québec are never heard of, however cleanly they are typed; no typology can see
them. The full version says how much that costs, and whether draws from the observation model bring the shares back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from scoring.links import linked_rows, most_common
from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits, simulate
from trajectories.analysis.typology import adjusted_rand, typology
from trajectories.linkage import SAMPLE_KEY
from worlds.planted_lives import PATTERNS, planted_lives

STUDY = replace(Study(), replicates=20)
SCHEDULE = (3, 6, 12, 18, 24, 30, 36)
CERTAIN = {"defects": "none", "contacts_succeed": True, "follow_up_months": SCHEDULE}
HEAVY = {"defects": "heavy", "follow_up_months": SCHEDULE}


@dataclass(frozen=True)
class Told:
    """The tables that planted lives became, and the kind of each person found."""

    spells: pd.DataFrame
    cohort: pd.DataFrame
    contacts: pd.DataFrame
    kind_of: pd.Series
    kinds: pd.DataFrame


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Walks planted lives through the line, once a setting."""
    made = {}

    def walk(**settings):
        key = tuple(sorted(settings.items()))
        if key not in made:
            asked = simulate.Settings(**{"households": 120, "organisations": 20, **settings})
            folder = tmp_path_factory.mktemp("planted")
            planted = planted_lives(asked)
            truth = simulate.simulate(folder, asked, lives=planted.lives)
            records = read_deposits(folder / "raw", study=STUDY).records
            persons = link_persons(records, key=SAMPLE_KEY)
            residences = build_spells(records, persons, study=STUDY)
            drawn = build_cohort(residences, records, persons, study=STUDY)
            who = most_common(linked_rows(persons, truth, records), "person_id", "true_person")
            kind_of = who.map(planted.kinds.set_index("true_person")["pattern"])
            made[key] = Told(residences.spells, drawn.cohort, drawn.contacts, kind_of, planted.kinds)
        return made[key]

    return walk


def compared(told, **arguments):
    """The typology, and its adjusted Rand index with the kinds."""
    found = typology(told.spells, told.cohort, study=STUDY, **arguments)
    kind = found.members["person_id"].map(told.kind_of)
    known = kind.notna()
    rand = adjusted_rand(found.members["type"][known], kind[known])
    asked = {name: value for name, value in arguments.items() if name != "contacts"}
    print(f"{asked or 'om constant'}: {len(found.types)} types, adjusted Rand {rand:.3f}, {known.sum()} of "
          f"{len(told.kinds)} persons; {found.types['name'].tolist()}")  # fmt: skip
    return found, rand


def test_planted_lives_are_as_asked():
    settings = simulate.Settings(households=40, seed=3)
    planted = planted_lives(settings)
    homes = planted.kinds.drop_duplicates("true_household")
    assert homes["pattern"].value_counts().to_dict() == {pattern.name: 10 for pattern in PATTERNS}
    again = planted_lives(settings)
    assert [life.residences for life in again.lives] == [life.residences for life in planted.lives]
    kind = planted.kinds.set_index("true_person")["pattern"]
    for life in planted.lives:
        for stay in life.stays:
            pattern = next(p for p in PATTERNS if p.name == kind[stay.person.number])
            if stay.episode == 1 and pattern.cause is not None:
                months = (stay.exit - stay.start) / 30.4375
                assert pattern.earliest - 0.2 <= months <= pattern.latest + 0.2 and stay.cause == pattern.cause
            else:
                assert stay.exit is None
    with pytest.raises(ValueError, match="nobody can be followed"):
        planted_lives(replace(settings, start=settings.end.replace(year=2024, month=4, day=1)))


def test_the_simulator_is_as_before_without_planted_lives(tmp_path):
    settings = simulate.Settings(households=6, organisations=2)
    lives = simulate.simulation.true_lives(settings)
    one = simulate.simulate(tmp_path / "a", settings)
    other = simulate.simulate(tmp_path / "b", settings, lives=lives)
    for name in type(one).__dataclass_fields__:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_four_planted_kinds_are_found_without_noise(told):
    found, rand = compared(told(**CERTAIN))
    assert len(found.types) == 4 and rand >= 0.9
    assert set(found.types["name"]) == {pattern.name for pattern in PATTERNS}
    assert (found.types["jaccard"] >= 0.75).all()


def test_four_planted_kinds_are_found_at_heavy(told):
    found, rand = compared(told(**HEAVY))
    assert len(found.types) == 4 and rand >= 0.7
    assert set(found.types["name"]) == {pattern.name for pattern in PATTERNS}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("settings", "least"), [(CERTAIN, 0.9), (HEAVY, 0.7)], ids=["certain", "heavy"])
def test_every_distance_finds_them(told, settings, least, seed):
    run = told(**settings, households=400, organisations=30, seed=seed)
    for method, costs in (
        ("om", "constant"),
        ("om", "trate"),
        ("hamming", "constant"),
        ("dynamic_hamming", "constant"),
    ):
        found, rand = compared(run, method=method, costs=costs)
        assert len(found.types) == 4 and rand >= least


@pytest.mark.slow
def test_what_is_never_heard_of_is_not_seen_and_draws_bring_some_of_it_back(told):
    errors = {}
    for name, settings in (("to month 24", {}), ("to month 36", {"follow_up_months": SCHEDULE})):
        for defects in ("none", "heavy"):
            run = told(**settings, defects=defects, households=400, organisations=30)
            found, rand = compared(run, contacts=run.contacts, k=4)
            true = run.kinds["pattern"].value_counts(normalize=True)
            share = found.shares[found.shares["group"].eq("province")].pivot(
                index="name", columns="method", values="estimate"
            )
            errors[name, defects] = {"rand": rand, **share.loc["stays"].sub(true["stays"]).to_dict()}
    table = pd.DataFrame(errors).T.round(3)
    print(f"error of the share of `stays`:\n{table}")
    # the typing costs little beside what is not heard of
    assert (table["rand"].unstack()["none"] - table["rand"].unstack()["heavy"]).max() <= 0.1
    # nobody heard of is a stayer too many; the draws take some of them back, and overcorrect nowhere by as much
    assert (table["as_heard_of"] > 0).all() and (table["drawn"].abs() < table["as_heard_of"]).all()
