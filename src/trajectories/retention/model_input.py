"""Cohort and contacts as the arrays that the main estimator reads (survival.observed_incidence)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..study import Study
from ..tables import EXITS

if TYPE_CHECKING:
    from ..survival import ObservedCurve, Reporting
    from ..survival.observation.cells import Ascertained, Cells

# In the order of the estimator's causes 1, 2, 3; an exit to an unknown destination is summed over them.
CAUSES = EXITS[:3]


@dataclass(frozen=True)
class ModelInput:
    """Stays as one value each, and their contacts by position of the stay."""

    contacts: pd.DataFrame
    entry: np.ndarray
    heard_until: np.ndarray
    household: np.ndarray
    role: np.ndarray
    some_false: bool = False  # some contact found somebody present after a report of departure

    def __len__(self) -> int:
        return len(self.entry)

    def of(self, chosen: np.ndarray) -> ModelInput:
        """The input for a subset of the stays."""
        new_position = np.full(len(self), -1, dtype=np.int32)
        new_position[chosen] = np.arange(int(chosen.sum()))
        rows = self.contacts[chosen[self.contacts["stay"].to_numpy()]]
        rows = rows.assign(stay=new_position[rows["stay"].to_numpy()])
        arrays = (self.entry, self.heard_until, self.household, self.role)
        entry, heard_until, household, role = (values[chosen] for values in arrays)
        return ModelInput(rows, entry, heard_until, household, role, self.some_false)

    def fit(
        self,
        study: Study,
        *,
        replicates: int = 0,
        reporting: Reporting | None = None,
        starts: int = 0,
        some_false: bool | None = None,
        **assumed,
    ) -> ObservedCurve:
        """
        The main estimator, or with `services=True` its companion, on these stays.

        Reports of departure may be false where a presence contradicts one, unless `some_false` says otherwise.
        """
        from ..survival.observation.observed import incidence_of  # scipy costs half a second

        beside = assumed.get("services", False) or assumed.get("some_never", False)
        false = not beside and (self.some_false if some_false is None else some_false)
        return incidence_of(
            self._doubted if false else self.ascertained,
            cluster=self.household,
            role=self.role,
            replicates=replicates,
            seed=study.seed,
            support=study.support,
            reporting=reporting,
            starts=starts,
            kept=None if beside else self._cells[false],
            **assumed,
        )

    @functools.cached_property
    def _cells(self) -> tuple[dict[tuple[bool, ...], Cells], ...]:
        """Cache for the cells of the main estimator, which most fits of the same stays share."""
        return {}, {}

    @functools.cached_property
    def ascertained(self) -> Ascertained:
        """The ascertained data of each stay, the same in every fit."""
        return self._ascertained(some_false=False)

    @functools.cached_property
    def _doubted(self) -> Ascertained:
        return self._ascertained(some_false=True)

    def _ascertained(self, some_false: bool) -> Ascertained:
        from ..survival.observation.cells import ascertain

        return ascertain(self.contacts, self.heard_until, self.entry, range(1, len(CAUSES) + 1), some_false)


def stays_that_enter(cohort: pd.DataFrame, study: Study) -> pd.DataFrame:
    """
    The stays in the estimate: not excluded, and of the study's pathway where it names one.

    Raises
    ------
    ValueError
        The cohort was made for another perimeter or scope than the study's.
        A stay is in it twice.
    TypeError
        The cohort is no table.
    """
    if not isinstance(cohort, pd.DataFrame):
        raise TypeError(f"cohort is a {type(cohort).__name__}: give its tables, its `.cohort` and its `.contacts`.")
    for name, asked in (("perimeter", study.perimeter), ("scope", study.scope)):
        settings = cohort[name].dropna().unique() if name in cohort else ()
        if any(of != asked for of in settings):
            raise ValueError(
                f"the cohort was made for {name} {', '.join(map(repr, settings))}, and the study asks for {asked!r}: "
                "make it for this study, with build_spells(…, study=study) and build_cohort(…, study=study)."
            )
    _refuse_repeated("cohort", cohort, ["person_id", "episode"])
    stays = cohort[cohort["excluded"].isna()]
    if study.pathway is not None:
        stays = stays[stays["pathway"].eq(study.pathway)]
    return stays.reset_index(drop=True)


def _refuse_repeated(name: str, table: pd.DataFrame, keys: list[str]) -> None:
    repeated = int(table.duplicated(keys).sum())
    if repeated:
        raise ValueError(
            f"{name}: {repeated} row(s) stand in it twice (the same {', '.join(keys)}): the estimate would count them "
            "twice. Give each once, for example with .drop_duplicates()."
        )


def model_input(stays: pd.DataFrame, contacts: pd.DataFrame) -> ModelInput:
    """
    The input of the observation model.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort` that enter.
    contacts : DataFrame
        The table `contacts`.

    Raises
    ------
    ValueError
        A record is in the contacts twice with the same kind.
    """
    keys = ["person_id", "episode"]
    if "record_id" in contacts:
        _refuse_repeated("contacts", contacts[contacts["record_id"].notna()], [*keys, "record_id", "kind"])
    position = pd.MultiIndex.from_frame(stays[keys]).get_indexer(pd.MultiIndex.from_frame(contacts[keys]))
    is_of_stay = position >= 0
    of_cause = {name: k for k, name in enumerate(CAUSES, start=1)}

    def column(name: str) -> pd.Series:
        return contacts.loc[is_of_stay, name].reset_index(drop=True)

    # narrow types: contacts are several times as many as stays, and every group has its own copy
    rows = pd.DataFrame(
        {
            "stay": position[is_of_stay].astype(np.int32),
            "month": column("month").astype(float),
            "kind": column("kind").astype("category"),
            "organisation": column("organisation_id").astype("category"),
            "cause": column("cause").map(of_cause).fillna(0).astype(np.int8),
            "departure_earliest": column("departure_earliest").astype(float),
            "departure_latest": column("departure_latest").astype(float),
        }
    )
    entry = stays["entry"].to_numpy(dtype=float)
    until = stays["heard_until"].fillna(stays["cutoff"]).to_numpy(dtype=float)
    until = np.maximum(until, entry)
    return ModelInput(
        rows,
        entry,
        until,
        stays["household_id"].to_numpy(dtype=object),
        stays["role"].fillna("principal").to_numpy(dtype=object),
        _contradicted(rows, until),
    )


def _contradicted(contacts: pd.DataFrame, until: np.ndarray) -> bool:
    """Whether some contact found somebody present after a report of departure."""
    heard = contacts[contacts["month"].to_numpy() <= until[contacts["stay"].to_numpy()]]
    first = heard[heard["kind"].isin(["left", "news"])].groupby("stay")["month"].min()
    last_present = heard[heard["kind"].eq("present")].groupby("stay")["month"].max()
    return bool((last_present.reindex(first.index) > first).any())
