"""The parameters of the observation model, side by side for many weightings, and what may be taken as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajectories.survival.checks import Floats, Integers

# Months since the exit at which the hazard of being heard of changes; the last class is open.
DELAYS = (0, 1, 2, 4, 7, 13)
# Probabilities of a failed contact: still there or gone, by whether the previous attempt failed.
STATES = ((0, 0), (0, 1), (1, 0), (1, 1))
N_STATES = len(STATES)
P = TypeVar("P", bound="Parameters")
Which = slice | NDArray[np.bool_] | Integers  # some weightings


def delay_class(months: Integers) -> Integers:
    """The class of so many months since the exit."""
    return np.searchsorted(DELAYS, months, side="right") - 1


@dataclass(frozen=True)
class Parameters:
    """One column a weighting."""

    hazards: Floats  # causes × pieces × B
    failure: Floats  # 4 × B (STATES), then what `Cells.further` names
    hearing: Floats  # causes × classes × B

    @property
    def wide(self) -> int:
        return self.failure.shape[1]

    def columns(self, keep: Which) -> Self:
        return type(self)(*(np.ascontiguousarray(values[..., keep]) for values in vars(self).values()))

    def flat(self) -> Floats:
        """One row a parameter, each between 0 and 1."""
        return np.concatenate([values.reshape(-1, self.wide) for values in vars(self).values()])

    def like(self, flat: Floats) -> Self:
        """The parameters of a flat array, in the same shapes."""
        shapes = [values.shape[:-1] for values in vars(self).values()]
        parts = np.split(flat, np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1])
        return type(self)(*(part.reshape(*shape, -1) for part, shape in zip(parts, shapes, strict=True)))


def joined(parts: Sequence[P]) -> P:
    """Weightings side by side."""
    columns = zip(*(vars(p).values() for p in parts), strict=True)
    return type(parts[0])(*(np.concatenate(values, axis=-1) for values in columns))


@dataclass(frozen=True)
class Assumed:
    """
    What is taken as given instead of learnt.

    failure : held at the values it starts from.
    hearing : the causes (True) whose hearing is known from elsewhere, or None; then no hearing is learnt.
    odds_gone : what the odds of having left are multiplied by at each failed contact.
    odds_heard : the same for the odds of being heard of, a value a month since the start (from 0), or None.
    """

    failure: bool = False
    hearing: NDArray[np.bool_] | None = None
    odds_gone: float = 1.0
    odds_heard: Floats | None = None


@dataclass(frozen=True)
class Reporting:
    """
    How departures become known, as one fit found it: what a group too small to learn it borrows from a larger one.

    Attributes
    ----------
    failure : array of shape (4, 1 + replicates), or None to be learnt
        The probability of a failed contact: of someone still there after no failure and after one, of someone gone;
        then those named in `further`.
    hearing : array of shape (causes, 6, 1 + replicates), or None to be learnt
        The hazard of being first heard of 0, 1, 2–3, 4–6, 7–12, 13 and more months after the exit; missing for a cause
        that nobody left for.
    further : tuple of str
        Names of the rows of `failure` from the fifth on.
    """

    failure: Floats | None
    hearing: Floats | None
    further: tuple[str, ...] = ()

    @classmethod
    def certain(cls, causes: int) -> Reporting:
        """Everybody who leaves is heard of in the same month."""
        return cls(None, np.concatenate([np.ones((causes, 1, 1)), np.zeros((causes, len(DELAYS) - 1, 1))], axis=1))

    def among(self, causes: int, further: tuple[str, ...]) -> Reporting:
        """The same for a fit with these further probabilities; raises where it has none of them, or other causes."""
        if self.hearing is not None and np.shape(self.hearing)[:2] != (causes, len(DELAYS)):
            raise ValueError(f"reporting: hearing of {np.shape(self.hearing)[0]} causes, {causes} in the data")
        if self.failure is None:
            return replace(self, further=further)
        missing = [name for name in further if name not in self.further]
        states = len(self.failure) - len(self.further)
        if states != N_STATES or missing:
            raise ValueError(f"reporting: {states} probabilities of failure, {N_STATES} expected; missing: {missing}")
        rows = [*range(N_STATES), *(N_STATES + self.further.index(name) for name in further)]
        return Reporting(self.failure[rows], self.hearing, further)

    @property
    def hears(self) -> NDArray[np.bool_] | None:
        """The causes whose hearing it gives."""
        return None if self.hearing is None else ~np.isnan(self.hearing[:, 0, 0])

    def column(self, which: Integers | int, p: P) -> P:
        """p with its parameters replaced by the borrowed ones: 0 for the estimate, then the replicates in turn.

        `which` has a value a column of p, or one for all.
        """

        def take(lent: Floats | None, own: Floats) -> Floats:
            if lent is None:
                return own
            replicates = lent.shape[-1] - 1
            position = np.where(np.equal(which, 0) | (not replicates), 0, 1 + (which - 1) % max(replicates, 1))
            values = lent[..., np.atleast_1d(position)]
            values = np.where(np.isnan(values), lent[..., :1], values)
            return np.where(np.isnan(values), own, values)

        return replace(p, failure=take(self.failure, p.failure), hearing=take(self.hearing, p.hearing))
