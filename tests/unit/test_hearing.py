"""How departures become known: the table says what was simulated, says « too few », and reads as plain French."""

import re

import numpy as np
import pandas as pd
import pytest

import trajectories
from trajectories import Study
from trajectories.report.figures.reporting_delay import departures_known, reading
from trajectories.report.words import words
from trajectories.retention.reporting_delay import CHANNELS, TOO_FEW, how_departures_become_known
from trajectories.simulate import told_stays
from trajectories.simulate.stays import hearing_of_shares

STUDY = Study(replicates=0)
SHARES = (0.8, 0.6, 0.3)
NB = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def told():
    return told_stays(20_000, 4, hearing=SHARES, failure_there=0.1, failure_gone=(0.5, 0.6))


@pytest.fixture(scope="module")
def fewer():
    return told_stays(2500, 4, hearing=SHARES, failure_there=0.1, failure_gone=(0.5, 0.6))


@pytest.fixture(scope="module")
def fewest():
    return told_stays(1200, 4, hearing=SHARES, failure_there=0.1, failure_gone=(0.5, 0.6))


@pytest.fixture(scope="module")
def found(told):
    return how_departures_become_known(*told.tables(), study=STUDY)


def number(table, measure, of, **which):
    rows = table[table["measure"].eq(measure) & table["of"].eq(of)]
    for column, wanted in which.items():
        rows = rows[rows[column].eq(wanted)]
    assert len(rows) == 1
    return rows["estimate"].iloc[0]


def test_it_is_public():
    assert trajectories.how_departures_become_known is how_departures_become_known


def test_failures_are_those_simulated(found):
    for of, previous, true in [("there", False, 0.1), ("there", True, 0.1), ("gone", False, 0.5), ("gone", True, 0.6)]:
        assert number(found, "contact_failure", of, previous_failed=previous) == pytest.approx(true, abs=0.05)


def test_hearing_is_that_simulated(found):
    hazards = hearing_of_shares(SHARES)
    for c, (name, share) in enumerate(zip(("metropole", "other_region", "outside_quebec"), SHARES, strict=True)):
        assert number(found, "heard", name, month=24) == pytest.approx(share, abs=0.08)
        # 0, 1, 2–3, 4–6 months after the exit
        half = 1 - np.prod((1 - hazards[c, :4]) ** [1, 1, 2, 3])
        assert number(found, "heard", name, month=6) == pytest.approx(half, abs=0.06)


def test_by_what_departures_become_known_sums_to_all_and_is_true(told, found):
    shares = {name: number(found, "known_by", name) for name in CHANNELS}
    assert sum(shares.values()) == pytest.approx(1.0)
    left = np.flatnonzero((told.exit_month <= told.cutoff) & (told.exit_month > told.entry))
    rows = told.contacts[told.contacts["kind"].isin(["left", "news"])]
    rows = rows.assign(rank=rows["kind"].eq("left")).sort_values(["stay", "month", "rank"]).drop_duplicates("stay")
    first = rows.set_index("stay").reindex(left)
    assert shares["contact"] == pytest.approx(first["kind"].eq("left").mean(), abs=0.02)
    assert shares["never"] == pytest.approx(first["kind"].isna().mean(), abs=0.03)
    # one organisation has all contacts, another the news, and is nowhere at home
    assert shares["region"] == 0
    late = (first["month"] - told.exit_month[left] + 0.5).median()
    assert number(found, "months_to_known", "known") == pytest.approx(late, abs=1.0)


@pytest.mark.thorough
def test_news_of_an_organisation_of_the_region_is_of_the_region(fewest):
    cohort, contacts = fewest.tables()
    half = np.arange(len(cohort)) % 2 == 0
    cohort["region"] = np.where(half, "05", "12")
    at = half[contacts["person_id"].astype(int)]
    contacts["organisation_id"] = np.where(contacts["kind"].eq("news") | at, "E05", "E12")
    table = how_departures_become_known(cohort, contacts, study=STUDY, by="region")
    assert list(table["group"].unique()) == ["province", "05", "12"]
    mine, other = (table[table["group"].eq(name)] for name in ("05", "12"))
    assert number(mine, "known_by", "region") > 0.2
    assert number(mine, "known_by", "elsewhere") == 0
    assert number(other, "known_by", "region") == 0
    assert number(other, "known_by", "elsewhere") > 0.2


@pytest.mark.thorough
def test_too_few_is_said_and_not_guessed():
    table = how_departures_become_known(*told_stays(60, 1).tables(), study=STUDY)
    few = table[table["measure"].isin(["heard", "known_by"])]
    assert few["estimate"].isna().all()
    assert few["note"].eq(TOO_FEW).all()
    assert "Trop peu de départs connus" in reading(table)[0]
    drawing = departures_known(table)
    assert "trop peu" in drawing.svg


def test_a_small_group_borrows_what_it_cannot_learn(fewer):
    cohort, contacts = fewer.tables()
    cohort["region"] = np.where(np.arange(len(cohort)) < 250, "01", "05")
    table = how_departures_become_known(cohort, contacts, study=STUDY, by="region")
    small = table[table["group"].eq("01")]
    assert small["reporting"].eq("borrowed").all()
    assert small.loc[small["measure"].eq("heard"), "estimate"].isna().all()
    large = table[table["group"].eq("05")]
    assert number(small, "known_by", "never") == pytest.approx(number(large, "known_by", "never"), abs=0.12)
    assert "comme dans l’ensemble" in " ".join(reading(table))


@pytest.mark.thorough
def test_limits_hold_the_estimate():
    table = how_departures_become_known(*told_stays(3000, 2).tables(), study=Study(replicates=25))
    known = table.dropna(subset=["estimate"])
    assert known["lower"].notna().all()
    assert (known["lower"] <= known["estimate"] + 0.02).all()
    assert (known["upper"] >= known["estimate"] - 0.02).all()
    assert re.search(rf"environ{NB}?.* \(de \d+ à \d+\)", reading(table)[0])


@pytest.mark.thorough
def test_types_of_organisation_come_from_a_table(fewest):
    cohort, contacts = fewest.tables()
    cohort["organisation_id"] = np.where(np.arange(len(cohort)) % 2 == 0, "E1", "E2")
    kinds = pd.DataFrame({"organisation_id": ["E1", "E1", "E2"], "organisation_zone": ["metropole", None, "region"]})
    table = how_departures_become_known(cohort, contacts, study=STUDY, by="organisation", organisations=kinds)
    assert list(table["group"].unique()) == ["province", "metropole", "region"]
    assert any(said.startswith(f"Vus d’abord par un organisme de la métropole{NB}:") for said in reading(table))
    with pytest.raises(ValueError, match="needs organisations"):
        how_departures_become_known(cohort, contacts, by="organisation")
    with pytest.raises(ValueError, match="says what an organisation is"):
        how_departures_become_known(cohort, contacts, by="organisation", organisations=kinds.iloc[1:2])


def test_what_it_can_not_group_by_is_refused_and_nobody_is_nobody(fewer):
    cohort, contacts = fewer.tables()
    with pytest.raises(ValueError, match="nor a column of the cohort"):
        how_departures_become_known(cohort, contacts, by="moon")
    nobody = how_departures_become_known(cohort[:0], contacts, study=STUDY)
    assert nobody.empty
    assert reading(nobody)[-1].startswith("Résultat de recherche")
    assert departures_known(nobody) is None


def test_the_reading_is_french_of_canada_and_says_that_it_is_not_protected(found):
    said = reading(found)
    assert said[0].startswith("Sur 100 départs, ")
    assert said[-1] == words("fr").say("hearing.warning")
    text = " ".join(said)
    assert not re.search(r" [%:;»]", text)
    assert "nan" not in text
    assert f"{round(100 * number(found, 'known_by', 'never'))} ne sont jamais connus" in text


def test_the_figure_names_what_it_shows(found):
    drawing = departures_known(found)
    for svg in (drawing.svg, drawing.narrow):
        for label in ("Région métropolitaine", "Autre région", "Hors du Québec", "parti, après un échec"):
            assert label in svg
    assert "non protégé" in drawing.caption
    assert "Sur 100 départs" in drawing.alt


def test_the_reading_and_the_figure_speak_english(found):
    said = reading(found, "en")
    assert said[0].startswith("Of 100 departures, ") and said[-1].startswith("Research result, not protected")
    assert len(said) == len(reading(found)) and not re.search(r"[àè«»]|\d\s%|\s[:;]", " ".join(said))
    drawing = departures_known(found, language="en")
    for label in ("Metropolitan region", "gone, after a failure", "Months since the departure"):
        assert label in drawing.svg
    assert "not protected" in drawing.caption and "Of 100 departures" in drawing.alt
