"""A Markov model of persons seen at visits only: what happened between two visits is not known, only both states.

Maximum likelihood for a time-homogeneous continuous-time model (Kalbfleisch & Lawless 1985). Compared with R msm 1.8.2
in tests/golden/test_panel_markov.py.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from trajectories.notebook_objects import as_html, plot, to_frame
from trajectories.survival.checks import Floats, Integers, labels, normal_quantile, refuse, times
from trajectories.survival.states.panel_fit import maximise
from trajectories.survival.states.panel_likelihood import Patterns, Structure, transition_matrix

Allowed = Sequence[tuple[Hashable, Hashable]] | NDArray[Any] | pd.DataFrame


@dataclass(frozen=True)
class PanelFit:
    """A fitted model. Squares are labelled by state, from in rows, to in columns; rates are per unit of time."""

    intensity: pd.DataFrame  # off the diagonal the rates, on it minus their sum
    intensity_se: pd.DataFrame  # missing where the estimate is on the boundary
    intensity_lower: pd.DataFrame  # limits on the log scale; on the diagonal of minus the entry
    intensity_upper: pd.DataFrame
    at_boundary: pd.DataFrame  # True where a rate is allowed and its estimate is 0
    log_likelihood: float
    sojourn: pd.Series  # mean time in each state that can be left, −1/q
    sojourn_se: pd.Series
    pairs: pd.DataFrame  # observed pairs of successive states
    covariance: pd.DataFrame  # of the logarithms of the rates that are not 0, labelled (from, to)
    persons: int
    seen_once: int  # persons of one observation: they tell nothing

    _repr_html_ = as_html
    plot = plot
    to_frame = to_frame

    @property
    def rates(self) -> pd.DataFrame:
        """The rates between states, a row each: from_state, to_state, intensity, se, lower, upper, at_boundary."""
        squares = {
            "intensity": self.intensity, "se": self.intensity_se, "lower": self.intensity_lower,
            "upper": self.intensity_upper, "at_boundary": self.at_boundary,
        }  # fmt: skip
        long = pd.DataFrame({name: square.stack(future_stack=True) for name, square in squares.items()})
        long = long.rename_axis(["from_state", "to_state"]).reset_index()
        allowed = long["from_state"].ne(long["to_state"]) & (long["intensity"].gt(0) | long["at_boundary"])
        return long[allowed].reset_index(drop=True)

    def probability(self, t: float) -> pd.DataFrame:
        """P(t): the probability of each state (columns) a time t after each state (rows)."""
        if not (np.isfinite(t) and t >= 0):
            raise ValueError(f"t: 1 value, {t}, is not a finite number from 0 up")
        frame = self.intensity
        return pd.DataFrame(transition_matrix(frame.to_numpy(), float(t)), frame.index, frame.columns)


def panel_markov(
    person: ArrayLike,
    time: ArrayLike,
    state: ArrayLike,
    allowed: Allowed,
    *,
    exact: Hashable | Sequence[Hashable] | None = None,
    conf_level: float = 0.95,
) -> PanelFit:
    """Rates between states from the states seen at visits.

    Parameters
    ----------
    person : array of shape (n,)
        Labels; rows may come in any order.
    time : array of shape (n,)
        Of the visit, from 0 up, in months (or any unit: rates are per that unit).
    state : array of shape (n,)
        Labels of the states seen.
    allowed : list of pairs, square array or DataFrame
        The direct transitions of the model: pairs (from, to) of labels; or a square, non-zero where a transition is
        allowed (its diagonal is not read), of the states seen in sorted order. A DataFrame carries its own labels and
        may name states that nobody was seen in.
    exact : label or list of labels, optional
        Absorbing states whose time of entry is the time of the visit (a death, a departure with its date), the state
        just before being unknown.
    conf_level : float
        Of the limits.

    Returns
    -------
    PanelFit
        A state that cannot be left has a row of zeros. A rate whose estimate is on the boundary is 0, marked in
        `at_boundary`, without standard error or limits; the other standard errors are those of a model without it.

    Raises
    ------
    ValueError
        For a missing value, a negative time, a time repeated by a person, an unknown label; for pairs that `allowed`
        makes impossible, said with their counts, and observations after an absorbing state; where nobody changes
        state (« no event to fit »); where the data do not tell a rate (the likelihood is flat in it, or grows as it
        goes to infinity).

    Notes
    -----
    Visits are taken as telling nothing of the state (planned, or by a rule that depends on past visits only). The
    likelihood is Π P_{ij}(gap), and Σ_r P_{ir}(gap) q_{rs} for an exact entry into s. Newton's method on the log
    rates, with exact derivatives; a rate that goes to 0 is set to 0 where the gradient there is not positive (Kuhn–
    Tucker). se: the inverse of the observed information of the log rates, the delta method for rates and mean sojourns.
    As the likelihood may have several maxima, the higher of two is kept: from transitions seen over time spent, and
    from one rate for all.

    R: ``msm(state ~ time, subject = person, qmatrix = Q, deathexact = exact)``; `qmatrix.msm` gives
    its rates, `sojourn.msm` the sojourns. Largest relative difference seen over tests/golden: 6e-8 (rates), 2e-7
    (standard errors).

    Examples
    --------
    >>> fit = panel_markov([1, 1, 1, 2, 2, 2], [0, 6, 12] * 2, list("aabaaa"), [("a", "b")])
    >>> fit.intensity.loc["a"].round(6).tolist(), fit.probability(12).loc["a"].round(6).tolist()
    ([-0.047947, 0.047947], [0.5625, 0.4375])
    """
    moment = times("time", time)
    who, persons = labels("person", person, len(moment))
    code, seen = labels("state", state, len(moment))
    states, square = structure_of(allowed, seen)
    code = states.get_indexer(pd.Index(seen))[code]
    refuse("state", code < 0, f"are not among the states of allowed: {', '.join(map(str, states))}")
    absorbing = ~square.any(axis=1)
    dated = np.isin(np.arange(len(states)), codes_of("exact", exact, states))
    refuse("exact", (dated & ~absorbing)[dated], "are states that can be left")
    structure = Structure(len(states), *np.nonzero(square))

    order = np.lexsort((moment, who))
    who, moment, code = who[order], moment[order], code[order]
    same = who[1:] == who[:-1]
    gap, start, end = (moment[1:] - moment[:-1])[same], code[:-1][same], code[1:][same]
    refuse_pairs(gap, start, end, states, square, absorbing, len(moment))
    patterns = patterns_of(gap, start, end, dated[end])
    spent = np.bincount(start, gap, len(states))
    pairs = np.bincount(start * len(states) + end, minlength=len(states) ** 2).reshape(len(states), -1)

    names = list(zip(states[structure.origin], states[structure.target], strict=True))
    rates, at_zero, log_likelihood, covariance = maximise(patterns, structure, pairs, spent, names)
    summary = summarise(structure, rates, at_zero, covariance, normal_quantile(conf_level))
    frames = {name: pd.DataFrame(values, states, states) for name, values in summary.items()}
    leave, q, se = ~absorbing, np.diag(summary["intensity"]), np.diag(summary["intensity_se"])
    with np.errstate(divide="ignore", invalid="ignore"):  # a state that is never left: an infinite stay, no se
        sojourn, sojourn_se = 1 / np.abs(q[leave]), se[leave] / q[leave] ** 2
    free = pd.MultiIndex.from_tuples(
        [n for n, zero in zip(names, at_zero, strict=True) if not zero], names=["from", "to"]
    )
    return PanelFit(
        **frames,
        log_likelihood=log_likelihood,
        sojourn=pd.Series(sojourn, states[leave], name="sojourn"),
        sojourn_se=pd.Series(np.where(np.isfinite(sojourn), sojourn_se, np.nan), states[leave], name="sojourn_se"),
        pairs=pd.DataFrame(pairs, states, states),
        covariance=pd.DataFrame(covariance, free, free),
        persons=len(persons),
        seen_once=int(np.count_nonzero(np.bincount(who) == 1)),
    )


def structure_of(allowed: Allowed, seen: NDArray[Any]) -> tuple[pd.Index, NDArray[np.bool_]]:
    """The states, and which direct transitions are allowed."""
    if isinstance(allowed, pd.DataFrame):
        states, values = pd.Index(allowed.index), allowed.to_numpy()
        if not states.equals(pd.Index(allowed.columns)) or states.has_duplicates:
            raise ValueError(f"allowed: its {len(states)} rows and columns are not the same states, each once")
    elif isinstance(allowed, np.ndarray) and allowed.ndim == 2 and allowed.shape[0] == allowed.shape[1]:
        states, values = pd.Index(seen), allowed
        if len(values) != len(states):
            raise ValueError(f"allowed: {len(values)} states given, {len(states)} seen; a DataFrame may name more")
    else:
        states, pairs = pd.Index(seen), [tuple(pair) for pair in allowed]
        refuse("allowed", np.array([len(pair) != 2 for pair in pairs], dtype=bool), "are not pairs (from, to)")
        codes = states.get_indexer(pd.Index([label for pair in pairs for label in pair])).reshape(-1, 2)
        refuse("allowed", (codes < 0).any(axis=1), "name a state that is not seen; a DataFrame may name more")
        refuse("allowed", codes[:, 0] == codes[:, 1], "go from a state to itself")
        values = np.zeros((len(states), len(states)), dtype=bool)
        values[codes[:, 0], codes[:, 1]] = True
    refuse("allowed", pd.isna(values).ravel(), "are missing")
    square = values.astype(bool) & ~np.eye(len(states), dtype=bool)
    if not square.any():
        raise ValueError("allowed: 0 transitions given, at least 1 expected")
    return states, square


def codes_of(name: str, given: Hashable | Sequence[Hashable] | None, states: pd.Index) -> Integers:
    """The codes of one label or several."""
    if given is None:
        return np.array([], dtype=np.int64)
    several = list(given) if pd.api.types.is_list_like(given) else [given]
    codes = states.get_indexer(pd.Index(several))
    refuse(name, codes < 0, f"are not among the states: {', '.join(map(str, states))}")
    return codes


def refuse_pairs(
    gap: Floats,
    start: Integers,
    end: Integers,
    states: pd.Index,
    square: NDArray[np.bool_],
    absorbing: NDArray[np.bool_],
    n: int,
) -> None:
    """Raises for repeated times, observations after an absorbing state, and pairs without a path between them."""
    if repeated := int(np.count_nonzero(gap <= 0)):
        raise ValueError(f"time: {repeated} of {n} values repeat a time of the same person")
    if after := int(np.count_nonzero(absorbing[start])):
        which = ", ".join(str(states[i]) for i in np.unique(start[absorbing[start]]))
        raise ValueError(f"state: {after} of {n} values come after an absorbing state ({which}) of the same person")
    path = np.eye(len(states), dtype=bool) | square
    for _ in range(len(states).bit_length()):
        path = path @ path
    impossible = ~path[start, end]
    if impossible.any():
        kinds, counts = np.unique(np.column_stack([start, end])[impossible], axis=0, return_counts=True)
        listed = ", ".join(f"{states[a]} → {states[b]} ({c})" for (a, b), c in zip(kinds, counts, strict=True))
        raise ValueError(f"state: {impossible.sum()} of {len(gap)} pairs are impossible under allowed: {listed}")
    if not (start != end).any():
        raise ValueError(f"state: 0 of {len(gap)} pairs change state: no event to fit")


def patterns_of(gap: Floats, start: Integers, end: Integers, known: NDArray[np.bool_]) -> Patterns:
    """Distinct (gap, from, to), in order of the gap."""
    gaps, place = np.unique(gap, return_inverse=True)
    size = int(max(start.max(), end.max())) + 1
    _, first, count = np.unique((place * size + start) * size + end, return_index=True, return_counts=True)
    return Patterns(gaps, place[first], start[first], end[first], known[first], count.astype(float))


def summarise(
    structure: Structure, rates: Floats, at_zero: NDArray[np.bool_], covariance: Floats, z: float
) -> dict[str, NDArray[Any]]:
    """Squares of the estimates, their standard errors and limits; `covariance` is of the logarithms."""
    n, origin, target = structure.states, structure.origin, structure.target
    q = structure.generator(rates)
    se, boundary = np.zeros((n, n)), np.zeros((n, n), dtype=bool)
    boundary[origin, target] = at_zero
    free = ~at_zero
    se[origin[free], target[free]] = rates[free] * np.sqrt(np.diag(covariance))
    member = (origin[free] == np.arange(n)[:, None]) * rates[free]  # the gradient of each row's sum in log rates
    np.fill_diagonal(se, np.sqrt(np.einsum("iu,uv,iv->i", member, covariance, member)))
    stuck = np.isin(np.arange(n), origin) & (np.diag(q) == 0)
    se[boundary] = np.nan
    se[stuck, stuck] = np.nan
    size = np.abs(q)
    width = np.exp(z * np.divide(se, size, out=np.zeros((n, n)), where=size > 0))
    near, far = size / width, size * width
    near[np.isnan(se)] = far[np.isnan(se)] = np.nan
    below = np.eye(n, dtype=bool)
    return {
        "intensity": q + 0.0,
        "intensity_se": se,
        "intensity_lower": np.where(below, -far, near) + 0.0,
        "intensity_upper": np.where(below, -near, far) + 0.0,
        "at_boundary": boundary,
    }
