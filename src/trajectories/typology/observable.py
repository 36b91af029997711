"""Who has a trajectory that can be seen: observable months, who is left out and why, and who stands for whom.

**Observable** is decided by the calendar and by who could have told, never by what was told. The 36 months of the
window must lie before the month until which the stay could be heard of (`heard_until` of the cohort: the cut-off, or
the last deposit of every organisation that could tell, whichever is first). Within them a person is carried where they
were last known to be. To ask for a confirmed presence at month 36 instead would keep every departure ever heard of
and drop the stayers whom nobody called (design.md, rule 4): it would condition on the future. Hence who is lost to
follow-up stays in and is carried; that their departures may never be heard of makes `stays` too large, which the
column `confirmed` shows and draws from the observation model (typology, `contacts`) correct.

One reason to be left out depends on the course itself: who left for an unknown place has no state. Those who left
within the same twelve months for a known place stand for them, by a weight (observation-model.md: that the place was
written down does not depend on which it is). Deaths within the window are left out and counted; nobody stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..months import months_between
from ..study import Study
from ..tables import REGION, UNKNOWN
from .naming import EARLY
from .sequences import sequences

# « At least 36 observable months », and the window that all sequences have in common.
MONTHS = 36
REASONS = (
    "start_unbounded", "start_wider_than_3_months", "established_too_late", "died", "not_heard_of_long_enough",
    "region_unknown", "destination_unknown",
)  # fmt: skip
# A change of place known less precisely than this is told of (the width from which a start is not used either).
WIDE = 3.0


@dataclass(frozen=True)
class Observable:
    """
    The persons of a typology.

    Attributes
    ----------
    persons : one row a person who enters, or who left for an unknown place: person_id, household_id, region, weight
        (0 for the latter), confirmed (months of the window before the last confirmed presence), uncertain (changes of
        place known to more than three months), changes (all of them)
    sequences : their states, in the same order
    excluded : why, n_persons, n_households, share (of all with a first stay; one row a reason, and `none`)
    """

    persons: pd.DataFrame
    sequences: pd.DataFrame
    excluded: pd.DataFrame


def observable(spells: pd.DataFrame, cohort: pd.DataFrame, *, study: Study, months: int = MONTHS) -> Observable:
    """
    The persons whose trajectory over the window can be seen, and why the others' cannot.

    Parameters
    ----------
    spells, cohort : DataFrame
        The tables of those names, of one perimeter.
    study : Study
        Its pathway is used: that of the first stay.
    months : int
        The window, since the first establishment en région.
    """
    first = cohort[cohort["episode"].eq(1)].drop_duplicates("person_id")
    if study.pathway is not None:
        first = first[first["pathway"].eq(study.pathway)]
    first = first.sort_values("person_id", ignore_index=True)
    spells = spells[spells["person_id"].isin(first["person_id"])]
    lived = sequences(spells, months)
    states = lived.reindex(first["person_id"]).to_numpy(dtype=object)
    dead = spells[spells["outcome"].eq("deceased")].drop_duplicates("person_id", keep="last").set_index("person_id")
    death = first["person_id"].map(dead["end_earliest"]).astype("datetime64[ns]")
    reached = first["heard_until"].fillna(first["cutoff"]).to_numpy(dtype=float)
    # the last cell is the (months − 1)-th anniversary, but months of observation are asked for: the last is whole too
    known = pd.notna(states[:, 0])
    why = np.select(
        [first["excluded"].notna(), first["cutoff"].to_numpy(dtype=float) < months,
         months_between(first["establishment_latest"], death) < months, reached < months, ~known,
         (states == UNKNOWN).any(axis=1)],
        ["", "established_too_late", "died", "not_heard_of_long_enough", "region_unknown", "destination_unknown"],
        "none",
    ).astype(object)  # fmt: skip
    why = np.where(why == "", first["excluded"].to_numpy(dtype=object), why)
    kept = np.isin(why, ("none", "destination_unknown"))
    persons = first.loc[kept, ["person_id", "household_id", "region", "establishment_latest"]].reset_index(drop=True)
    persons["weight"] = _weights(states[kept], why[kept] == "none")
    persons = persons.join(_certainty(spells, persons, months)).drop(columns="establishment_latest")
    frame = pd.DataFrame(states[kept], index=pd.Index(persons["person_id"], name="person_id"))
    return Observable(persons, frame, _excluded(first, why))


def _weights(states: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How many persons each stands for: 1, more for those who left for a known place, 0 for an unknown place."""
    away = states != REGION
    left = away.any(axis=1)
    early = away.argmax(axis=1) < EARLY
    weight = known.astype(float)
    for band in (left & early, left & ~early):
        told, silent = int((band & known).sum()), int((band & ~known).sum())
        if told:
            weight[band & known] = (told + silent) / told
        elif silent and (left & known).any():
            # nobody left for a known place in these months: all who did in others
            weight[left & known] *= 1 + silent / (left & known).sum()
    return weight


def _certainty(spells: pd.DataFrame, persons: pd.DataFrame, months: int) -> pd.DataFrame:
    """confirmed, uncertain and changes, in the order of persons."""
    start = persons.set_index("person_id")["establishment_latest"]
    last = spells.groupby("person_id")["last_confirmed"].max().reindex(start.index)
    confirmed = np.clip(np.nan_to_num(months_between(start, last)), 0, months)
    told = spells[spells["person_id"].isin(start.index)]
    since = months_between(told["person_id"].map(start), told["start_latest"])
    # a move within the region of the spell before changes no state
    place = told["region"].where(told["zone"].eq(REGION), told["zone"])
    inside = (since > 0) & (since <= months) & place.ne(place.shift()).to_numpy()
    wide = months_between(told["start_earliest"], told["start_latest"])
    wide = inside & ~(wide <= WIDE)
    by = pd.DataFrame({"uncertain": wide, "changes": inside}).groupby(told["person_id"].to_numpy()).sum()
    return by.reindex(start.index, fill_value=0).reset_index(drop=True).assign(confirmed=confirmed)


def _excluded(first: pd.DataFrame, why: np.ndarray) -> pd.DataFrame:
    """One row a reason of `REASONS`, and `none` for those who enter."""
    counted = first.assign(why=why).groupby("why")[["person_id", "household_id"]].nunique()
    counted = counted.reindex(["none", *REASONS], fill_value=0).reset_index(names="why")
    counted = counted.rename(columns={"person_id": "n_persons", "household_id": "n_households"})
    return counted.assign(share=counted["n_persons"] / max(len(first), 1))
