"""Deposits with a known truth, simulated, read, linked and reconstructed once a session."""

from dataclasses import dataclass, replace

import pandas as pd
import pytest

from trajectories import Study, build_cohort, build_spells, link_persons, read_deposits
from trajectories.persons import SAMPLE_KEY


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
        stays = self.truth.stays
        return (stays.loc[stays["establishment"] <= self.residences.cutoff, "months"] > horizon).mean()


def _regions():
    from trajectories import places

    return places.municipalities("RMR-2021")["region"]


@pytest.fixture(scope="session")
def line(tmp_path_factory):
    """Runs the line on simulated deposits; the settings are the simulator's."""
    from trajectories.simulate import Settings, simulate

    made = {}

    def run(**settings):
        key = tuple(sorted(settings.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("line")
            truth = simulate(folder, Settings(**settings))
            study = replace(Study(), replicates=0)
            deposits = read_deposits(folder / "raw", study=study)
            persons = link_persons(deposits.records, key=SAMPLE_KEY)
            residences = build_spells(deposits.records, persons, study=study)
            cohort = build_cohort(residences, deposits.records, persons, study=study)
            rows = truth.rows[["file", "sheet", "row", "true_person"]]
            known = deposits.records[["record_id", "file", "sheet", "row"]].merge(rows, on=["file", "sheet", "row"])
            known = known.merge(persons, on="record_id")
            person_of = known.groupby("person_id")["true_person"].agg(lambda found: found.mode().iloc[0])
            made[key] = Line(truth, deposits, persons, residences, cohort.cohort, cohort.contacts, person_of)
        return made[key]

    return run
