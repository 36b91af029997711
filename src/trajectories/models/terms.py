"""Covariates as the terms of a model: levels against a reference, each with enough exits to speak of.

A level needs as many stays as would have `LEAST` exits if it left as everybody does, and `FEWEST` of its own, in every
draw: chosen by its own exits, a rare level would be printed when chance had made many leave, and seem to leave sooner
(by .19 on the log scale over 60 simulated cohorts, with ten exits of its own asked for). Levels with fewer are joined
into « other » where together they have enough, else into the reference; a model has at most one coefficient for
`PER_COEFFICIENT` exits (Vittinghoff & McCulloch 2007), and the last terms of `TERMS` are left out until that holds.
What is joined or left out is said, never dropped in silence. Immigration category is never in a model without city
size, which it goes with (domain facts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

LEAST, FEWEST, PER_COEFFICIENT = 10, 3, 5
OTHER = "other"
# In the order in which a model keeps them, each with its reference level.
TERMS = {
    "city_size": "100k_plus", "immigration_category": "economic", "job_found": "false", "housing_found": "false",
    "french": "advanced", "period": "before_2020", "household_size": "1", "age": "30_44", "education": "university",
    "years_since_arrival": "under_1", "sex": "F",
}  # fmt: skip
# Numbers by classes: the first value of each class from the second on, and their codes.
CLASSES = {
    "age": ((18, 30, 45), ("under_18", "18_29", "30_44", "45_plus")),
    "household_size": ((2, 3, 4), ("1", "2", "3", "4_plus")),
    "years_since_arrival": ((1, 3), ("under_1", "1_2", "3_plus")),
}


@dataclass(frozen=True)
class Term:
    """One coefficient: a level of a covariate (or a service received), over some months since establishment."""

    term: str
    level: str
    from_month: float = 0.0
    to_month: float = np.inf


@dataclass(frozen=True)
class Terms:
    """
    The coefficients of a model.

    `labels` holds the levels of each draw (stays × covariates, joined as said), `left` what has no coefficient of its
    own: term, level, note.
    """

    columns: tuple[Term, ...]
    labels: list[pd.DataFrame]
    left: pd.DataFrame

    def matrix(self, draw: int) -> np.ndarray:
        """Indicators: stays × coefficients."""
        labels = self.labels[draw]
        found = [labels[column.term].to_numpy() == column.level for column in self.columns]
        return np.array(found, dtype=float).reshape(len(found), len(labels)).T


def labelled(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The covariates as text levels; « unknown » where there is no value."""
    found = {}
    for name in names:
        values = frame[name]
        if name in CLASSES and pd.api.types.is_numeric_dtype(values):
            cuts, codes = CLASSES[name]
            place = np.searchsorted(cuts, values.to_numpy(dtype=float, na_value=np.nan), side="right")
            text = pd.Series(np.array(codes, dtype=object)[np.minimum(place, len(codes) - 1)], index=frame.index)
        elif pd.api.types.is_bool_dtype(values):
            text = values.astype(object).map({True: "true", False: "false"})
        else:
            text = values.astype(object)
        found[name] = text.where(values.notna(), "unknown")
    return pd.DataFrame(found, index=frame.index)


def terms_of(frames: Sequence[pd.DataFrame], left: Sequence[np.ndarray], names: Sequence[str] | None = None) -> Terms:
    """
    What a model of these exits can hold.

    Parameters
    ----------
    frames : sequence of DataFrame
        The stays at risk, one frame a draw.
    left : sequence of bool array
        Who left, as the model means it, in each draw.
    names : sequence of str, optional
        Covariates in the order in which they are kept; by default `TERMS`, those that the frames have.
    """
    names = [name for name in (names or TERMS) if name in frames[0]]
    labels = [labelled(frame, names) for frame in frames]
    notes: list[tuple[str, str | None, str]] = []
    if "immigration_category" in names and "city_size" not in names:
        notes.append(("immigration_category", None, "no_city_size"))
        names.remove("immigration_category")
    if not len(frames[0]):
        names = []
    fewest = min((int(gone.sum()) for gone in left), default=0)
    columns: list[Term] = []
    full = False
    for name in names:
        mapping, reference, joined = _joined(name, labels, left)
        levels = sorted({new for new in mapping.values()} - {reference})
        full = full or len(columns) + len(levels) > fewest / PER_COEFFICIENT
        if not levels or full:
            notes.append((name, None, "too_few_exits" if full else "one_level"))
            continue
        notes += [(name, level, note) for level, note in joined]
        for each in labels:
            each[name] = each[name].map(mapping)
        columns += [Term(name, level) for level in levels]
    return Terms(tuple(columns), labels, pd.DataFrame(notes, columns=["term", "level", "note"]))


def _joined(name: str, labels: Sequence[pd.DataFrame], left: Sequence[np.ndarray]):
    """What each level becomes, the reference, and what is to be said of the levels that are joined."""
    seen = sorted({level for each in labels for level in each[name].unique()})
    codes = [pd.Categorical(each[name], categories=seen).codes for each in labels]
    # draws × levels
    stays = np.array([np.bincount(each, minlength=len(seen)) for each in codes])
    exits = np.array([np.bincount(each[gone], minlength=len(seen)) for each, gone in zip(codes, left, strict=True)])
    share = np.array([gone.mean() for gone in left])

    def enough(levels: Sequence[str]) -> bool:
        at = [seen.index(level) for level in levels]
        expected = (stays[:, at].sum(axis=1) * share).min()
        return bool(expected >= LEAST and exits[:, at].sum(axis=1).min() >= FEWEST)

    reference = TERMS.get(name, "")
    if reference not in seen or not enough([reference]):
        reference = seen[int(stays.min(axis=0).argmax())]
    rare = [level for level in seen if level != reference and not enough([level])]
    target, note = (OTHER, "joined_in_other") if rare and enough(rare) else (reference, "joined_to_reference")
    mapping = {level: target if level in rare else level for level in seen}
    return mapping, reference, [(level, note) for level in rare if level != target]
