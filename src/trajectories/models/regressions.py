"""One model on every draw: Cox, cause-specific Cox, Fine–Gray or discrete-time hazard, joined by Rubin's rules.

Standard errors are clustered on households. Cox models have a baseline hazard for each region; Fine–Gray and the
discrete-time model have regions as terms, which are not printed (a comparison of regions is comparison's).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from .joined import joined
from .person_months import scored
from .terms import Term, Terms, labelled

REGION = "region"
WORKERS = 2  # draws fitted at a time: numpy lets other threads run while it computes
# Values of a draw's covariates from which draws are fitted one after the other: a fit holds them a dozen times.
LARGE = 1 << 23
COUNTS = ("n_stays", "n_events", "n_households", "n_model_stays", "n_model_events")


@dataclass(frozen=True)
class Rows:
    """What a kernel is given: start, time, event, household_id, region, cause and strata; one column a coefficient."""

    data: pd.DataFrame
    x: np.ndarray
    stay: np.ndarray  # position of the stay of each row

    def frame(self) -> pd.DataFrame:
        """One table, the coefficients' columns named x0, x1 …"""
        names = [f"x{j}" for j in range(self.x.shape[1])]
        return pd.concat([self.data, pd.DataFrame(self.x, columns=names)], axis=1)


@dataclass(frozen=True)
class Draws:
    """
    The rows of each draw, made when they are asked for: held all at once, they take as many times the memory.

    Examples
    --------
    >>> [len(rows.stay) for rows in Draws(2, lambda k: Rows(pd.DataFrame(), np.zeros((k, 0)), np.arange(k)))]
    [0, 1]
    """

    number: int
    make: Callable[[int], Rows]

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, k: int) -> Rows:
        if not 0 <= k < self.number:
            raise IndexError(k)
        return self.make(k)

    def __iter__(self) -> Iterator[Rows]:
        return map(self.make, range(self.number))

    def changed(self, change: Callable[[int, Rows], Rows]) -> Draws:
        """Each with a change, which is given the number of the draw too."""
        return Draws(self.number, lambda k: change(k, self.make(k)))


@dataclass(frozen=True)
class Joined:
    """
    One model over all draws.

    `table`: a row per coefficient of `columns`, with `COUNTS`. `tests`: m × coefficients (and
    GLOBAL last) statistics of proportional hazards, divided by each coefficient's design effect. `fault` says why
    nothing could be fitted.
    """

    columns: tuple[Term, ...]
    table: pd.DataFrame
    tests: np.ndarray
    fault: str | None = None


def rows_of(frame: pd.DataFrame, event: np.ndarray, x: np.ndarray, strata: pd.DataFrame | None = None) -> Rows:
    """One row a stay."""
    data = pd.DataFrame({
        "start": frame["start"].to_numpy(dtype=float), "time": frame["time"].to_numpy(dtype=float),
        "event": np.asarray(event).astype(np.int64), "household_id": frame["household_id"].to_numpy(dtype=object),
        REGION: labelled(frame, [REGION])[REGION].to_numpy() if REGION in frame else "all",
    })  # fmt: skip
    if strata is not None:
        data = data.join(strata.reset_index(drop=True))
    return Rows(data, x, np.arange(len(frame)))


def cut(rows: Rows, month: float, split: np.ndarray) -> Rows:
    """
    The same with the coefficients `split` before and after a month: early columns first, then late ones.

    The early effect holds for exits in (0, month], the late one from then on.
    """
    data = rows.data
    early, late = (data["start"] < month).to_numpy(), (data["time"] > month).to_numpy()
    first = data[early].assign(time=np.minimum(data.loc[early, "time"], month))
    first["event"] = np.where(data.loc[early, "time"] > month, 0, data.loc[early, "event"])
    second = data[late].assign(start=np.maximum(data.loc[late, "start"], month))
    both = pd.concat([first, second], ignore_index=True)
    x = np.vstack([rows.x[early], rows.x[late]])
    is_late = np.repeat([0.0, 1.0], [early.sum(), late.sum()])[:, None]
    x = np.hstack([x[:, ~split], x[:, split] * (1 - is_late), x[:, split] * is_late])
    return Rows(both, x, np.concatenate([rows.stay[early], rows.stay[late]]))


def fit_rows(kind: str, rows: Rows, strata: Sequence[str], cause: int):
    """The fit of one draw."""
    from ..survival import cox, fine_gray

    if kind == "discrete":
        return scored(rows.data, rows.x)
    data = rows.frame()
    names = [f"x{j}" for j in range(rows.x.shape[1])]
    entry = "start" if (data["start"] > 0).any() else None
    if kind == "cox":
        return cox(data, time="time", event="event", covariates=names, entry=entry, strata=list(strata),
                   cluster="household_id")  # fmt: skip
    return fine_gray(data, time="time", cause="event", cause_of_interest=cause, covariates=names, entry=entry,
                     cluster="household_id")  # fmt: skip


@threadpool_limits.wrap(limits=1, user_api="blas")  # more threads would only wait for each other in small products
def over_draws(
    kind: str,
    draws: Draws,
    columns: Sequence[Term],
    *,
    strata: Sequence[str] = (REGION,),
    cause: int = 1,
    hidden: Sequence[str] = (REGION,),
) -> Joined:
    """
    Fits each draw and joins them. Terms named in `hidden` are in the model and not in the table.

    A draw that cannot be fitted (a coefficient that is infinite, a column told by others) makes the whole model a
    fault: a mean over the draws that could be fitted would be one over the draws that happened to be easy.
    """
    wanted = cause if kind == "subdistribution" else None

    def one(k: int):
        rows = draws[k]
        try:
            fit = fit_rows(kind, rows, strata, cause)
        except ValueError as error:
            return _said(str(error), columns)
        tested = fit.test_proportional_hazards() if kind != "discrete" else None
        table = fit.table
        excess = (table["robust_se"] / table["se"]).to_numpy() ** 2
        statistic = np.full(len(table) + 1, np.nan)
        if tested is not None:
            # members of a household leave together: the test takes them for independent (Rao & Scott 1981)
            statistic = tested["statistic"].to_numpy() / np.maximum(np.append(excess, excess.mean()), 1.0)
        counts = _counts(rows, columns, wanted)
        households = rows.data["household_id"].nunique()
        return table["coef"], table["robust_se"] ** 2, statistic, counts, households, rows.x.size

    results = [one(0)] if len(draws) else []
    large = bool(results) and not isinstance(results[0], str) and results[0][-1] > LARGE
    with ThreadPoolExecutor(1 if large else WORKERS) as executor:
        results += executor.map(one, range(1, len(draws)))
    faults = [result for result in results if isinstance(result, str)]
    if faults:
        return Joined((), pd.DataFrame(), np.zeros((0, 0)), faults[0])
    estimates, variances, tests, counts = (np.array([np.asarray(r[k]) for r in results]) for k in range(4))
    households = min(r[4] for r in results)
    table = joined(estimates, variances, max(households - len(columns), 1))
    for name, values in zip(COUNTS, counts.mean(axis=0), strict=True):
        table[name] = values
    shown = np.array([column.term not in hidden for column in columns])
    table = table[shown].reset_index(drop=True)
    return Joined(
        tuple(column for column, keep in zip(columns, shown, strict=True) if keep), table,
        tests[:, np.append(shown, True)],
    )  # fmt: skip


def _said(message: str, columns: Sequence[Term]) -> str:
    """A kernel's sentence with the names of levels in the place of those of columns."""
    for j in reversed(range(len(columns))):
        message = message.replace(f"x{j}", f"{columns[j].term}={columns[j].level}")
    return message


def _counts(rows: Rows, columns: Sequence[Term], cause: int | None) -> np.ndarray:
    """Of each coefficient: stays, exits and households of its level, stays and exits of the model in its months."""
    event = rows.data["event"].to_numpy()
    left = event > 0 if cause is None else event == cause
    start, time = rows.data["start"].to_numpy(), rows.data["time"].to_numpy()
    household, names = pd.factorize(rows.data["household_id"])
    n_stays, n_households = int(rows.stay.max(initial=-1)) + 1, len(names)
    months = {(column.from_month, column.to_month) for column in columns}
    seen = {(a, b): (start < b) & (time > a) for a, b in months}
    of_model = {key: [distinct(rows.stay[at], n_stays), left[at].sum()] for key, at in seen.items()}
    found = []
    for j, column in enumerate(columns):
        key = column.from_month, column.to_month
        own = np.flatnonzero(seen[key] & (rows.x[:, j] > 0))
        found.append([
            distinct(rows.stay[own], n_stays), left[own].sum(), distinct(household[own], n_households), *of_model[key],
        ])  # fmt: skip
    return np.array(found, dtype=float).reshape(len(found), len(COUNTS)).T


def distinct(codes: np.ndarray, size: int) -> int:
    """
    How many different codes there are, all below `size`: marked, where sorting them would take several times as long.

    Examples
    --------
    >>> distinct(np.array([3, 1, 3]), 4)
    2
    """
    there = np.zeros(size, dtype=bool)
    there[codes] = True
    return int(there.sum())


def matrix_rows(frames: Sequence[pd.DataFrame], events: Sequence[np.ndarray], terms: Terms) -> Draws:
    """The rows of each draw."""
    return Draws(len(frames), lambda k: rows_of(
        frames[k], events[k], terms.matrix(k), terms.labels[k].add_prefix("level_"),
    ))  # fmt: skip
