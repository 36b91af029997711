"""Deposits with a known truth, simulated, read, linked and reconstructed once a run of the tests."""

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
import pytest

from made_once import made_once
from scoring import Found, scores
from scoring.links import linked_rows, most_common, true_persons
from scoring.realised import realised_retention, retention_errors
from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits, simulate
from trajectories.linkage import SAMPLE_KEY

STUDY = replace(Study(), replicates=0)


@dataclass(frozen=True)
class Line:
    """One run of the line beside its truth; `person_of` gives the true person of each person found."""

    truth: object
    deposits: object
    persons: pd.DataFrame
    residences: object
    cohort: pd.DataFrame
    contacts: pd.DataFrame
    person_of: pd.Series

    @property
    def established(self):
        """True stays that began before the cut-off and that some accepted row could tell of."""
        stays = self.truth.stays
        stays = stays[stays["establishment"] <= self.residences.cutoff]
        rows = self.truth.rows[self.truth.rows["fate"].eq("accepted") & self.truth.rows["kind"].eq("establishment")]
        rows = rows.assign(region=rows["destination_code"].map(_regions()))
        told = stays.merge(rows[["true_person", "region", "event_date"]], on=["true_person", "region"])
        near = (told["event_date"] - told["establishment"]).abs() <= pd.Timedelta(days=100)
        return told[near].drop_duplicates(["true_person", "episode"])

    def realised(self, horizon):
        """Share of the true stays begun before the cut-off that lasted beyond the horizon."""
        return realised_retention(self.truth, self.residences.cutoff, horizon)

    @cached_property
    def scores(self):
        """Every measure of the tables against the truth; s12 and s24 are those of the main estimate."""
        r = self.residences
        found = Found(self.deposits, self.persons, r.spells, r.moves, self.cohort, self.contacts, r.cutoff)
        return scores(self.truth, found) | retention_errors(self.cohort, self.contacts, self.truth, cutoff=r.cutoff)


def _regions():
    from trajectories import places

    return places.municipalities("RMR-2021")["region"]


@pytest.fixture(scope="session")
def heavy(tmp_path_factory):
    """The true rows of heavy deposits, and what was read of them; the seed is one that nothing is tuned on."""

    def made():
        folder = tmp_path_factory.mktemp("heavy")
        truth = simulate.simulate(folder, simulate.Settings(households=400, seed=2026, defects="heavy"))
        return truth.rows, read_deposits(folder / "raw", study=Study())

    return made_once("heavy deposits", made)


@pytest.fixture(scope="session")
def line(tmp_path_factory):
    """Runs the line on simulated deposits, or on the true persons (`perfect`); the settings are the simulator's."""
    read, made = {}, {}

    def simulated(settings, key):
        if key not in read:
            folder = tmp_path_factory.mktemp("line")
            truth = simulate.simulate(folder, simulate.Settings(**settings))
            read[key] = truth, read_deposits(folder / "raw", study=STUDY)
        return read[key]

    def walked(settings, key, perfect):
        truth, deposits = simulated(settings, key)
        records = deposits.records
        persons = true_persons(truth, records) if perfect else link_persons(records, key=SAMPLE_KEY)
        residences = build_spells(records, persons, study=STUDY)
        cohort = build_cohort(residences, records, persons, study=STUDY)
        person_of = most_common(linked_rows(persons, truth, records), "person_id", "true_person")
        return truth, deposits, persons, residences, cohort.cohort, cohort.contacts, person_of

    def run(*, perfect=False, **settings):
        key = tuple(sorted(settings.items()))
        if (key, perfect) not in made:
            # two files ask for the same line, maybe in two processes
            made[key, perfect] = Line(*made_once(f"line {key} {perfect}", lambda: walked(settings, key, perfect)))
        return made[key, perfect]

    return run
