"""Which services go with staying: associations, never causes.

Who is served differs from who is not, in ways that no table holds; so each ratio is told beside how strong such a
difference would have to be (E-value) and beside controls that cannot be effects. Rules:

1. A service counts from the month after it was received (analysis/models.py): counted from the establishment, any
   service that is given late seems to keep people (`landmark.naive_ever_received` shows it).
2. Exposure comes from services, ends from contacts and news (analysis/imputation.py), never one from the other. But a
service is
   also a proof of presence: draws that do not know it let some leave before they were served, who are then no exposed
   stays; those left exposed are the ones whose contacts are the better. With four tenths of what is told of a service
   unknown (`missing`) and no effect, its log ratio came out .08 to .14 too low (1,500 stays; its se .15). In large
   numbers that is a false effect. So three methods stand beside: `with_services` takes draws in agreement with the
   service (.04 ± .04 there, and errs towards no effect), landmarks hardly depend on it (.01 ± .05), and
   `visit_weighted` weighs months by the chance of being seen, which does not mend it. Where these do not
   say the same, nothing should be said.
3. Nothing is said below the minimum numbers: the row is there, its note says why, and it has no number
   but its counts.
4. A family is the services of one method; a control is a family of its own.

Draws know of no effect of services: the more of the ends are drawn, the nearer to 1 a true effect is told (.6 came out
as .66, and as .73 in `with_services`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ...months import ceil_month, months_between
from ...stays.contacts import until_report
from ...study import Study
from ...tables import METROPOLE
from ..imputation import indicators, logit_step
from ..models import (
    COUNTS,
    FEWEST,
    LEVEL,
    PIECES,
    REGION,
    SERVICE,
    TERMS,
    Draws,
    Joined,
    Rows,
    Terms,
    benjamini_hochberg,
    distinct,
    exposed_rows,
    first_months,
    matrix_rows,
    over_draws,
    service_terms,
    terms_of,
    tests_of,
)

# ----------------------------------------------------------------------------------------------------
# E-values: how strong what was not measured would have to be to explain an association away.

# From this share of stays that ended on, a hazard ratio is no longer near a ratio of risks (VanderWeele & Ding 2017).
COMMON = 0.15


def e_value(ratio: ArrayLike) -> NDArray[np.float64]:
    """
    The E-value of ratios of risks.

    Parameters
    ----------
    ratio : array of float
        Ratios above 0; those under 1 are turned over.

    Returns
    -------
    array of float
        From 1 up: an unmeasured cause would have to go with both the service and leaving by at least this ratio,
        beyond what is adjusted for, to make the association. Missing where the ratio is.

    Notes
    -----
    VanderWeele & Ding (2017): RR + √(RR (RR − 1)). R: ``EValue::evalues.RR``.

    Examples
    --------
    >>> e_value([3.9, 1.8, 1.0, 0.5]).round(2).tolist()
    [7.26, 3.0, 1.0, 3.41]
    """
    values = np.asarray(ratio, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.maximum(values, 1 / values)
        return above + np.sqrt(above * (above - 1))


def risk_ratio(hazard_ratio: ArrayLike) -> NDArray[np.float64]:
    """
    The ratio of risks that a hazard ratio stands for where the outcome is common.

    Notes
    -----
    The square-root approximation of VanderWeele & Ding (2017): (1 − ½^√HR) / (1 − ½^√(1/HR)).

    Examples
    --------
    >>> risk_ratio([1.0, 0.5, 2.0]).round(3).tolist()
    [1.0, 0.62, 1.613]
    """
    values = np.asarray(hazard_ratio, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - 0.5 ** np.sqrt(values)) / (1 - 0.5 ** np.sqrt(1 / values))


def e_values_of_hazards(
    hazard_ratio: ArrayLike, lower: ArrayLike, upper: ArrayLike, share_left: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    E-values of hazard ratios and of the limits nearest 1.

    Parameters
    ----------
    hazard_ratio, lower, upper : arrays of float
    share_left : array of float
        Of the stays behind each ratio, the share that ended: from `COMMON` on the ratio of risks is approximated.

    Returns
    -------
    point, limit : arrays of float
        The limit's is 1 where the limits hold 1.

    Examples
    --------
    >>> [x.round(2).tolist() for x in e_values_of_hazards([0.5, 0.5], [0.3, 0.3], [0.8, 1.2], [0.1, 0.1])]
    [[3.41, 3.41], [1.81, 1.0]]
    """
    low, high = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    near = np.where(low > 1, low, np.where(high < 1, high, 1.0))
    near = np.where(np.isnan(low) | np.isnan(high), np.nan, near)
    common = np.asarray(share_left, dtype=float) >= COMMON
    point, limit = (
        e_value(np.where(common, risk_ratio(values), values)) for values in (np.asarray(hazard_ratio, float), near)
    )
    return point, limit


# ----------------------------------------------------------------------------------------------------
# One method's answers on all services: what is fitted, what is said, and what is not said for want of numbers.
#
# Every method ends here: rows whose last columns tell who had received each service, a kernel of models/, Rubin's
# rules. The services of a method are in one model, each given the others; where that cannot be fitted, each is alone.
# Rules:
#
# 1. A service is spoken of where `HOUSEHOLDS` households received it and as many have months in which they had not
# (yet): clustered standard errors of fewer are too small (Cameron & Miller 2015 put the trouble under 20 to 50
# clusters). 2. `EXITS` exits are expected on each side, did those exposed leave as everybody does: ten for a
# coefficient (Peduzzi et al. 1995). Expected, not seen: chosen by its own exits, a service would be spoken of when
# chance had made many leave, and would seem to do harm (analysis/models.py). 3. Of its own, each side has `FEWEST`
# exits, without which the ratio is 0 or infinite.
#
# Each holds in every draw.

HOUSEHOLDS, EXITS = 30, 10
OTHER_SERVICES = "other_services"
COLUMNS = (
    "service", "method", "control", "adjusted_for", "estimate", "se", "hazard_ratio", "lower", "upper", "p_value",
    "adjusted_p", "e_value", "e_value_limit", "missing", *COUNTS, "note",
)  # fmt: skip


def adjusted_rows(frames: Sequence[pd.DataFrame], kind: str) -> tuple[Draws, Terms]:
    """
    The rows of each draw with the covariates as terms; regions are terms of the discrete-time hazard, strata of Cox.

    Where nobody leaves in some draw there is no term.
    """
    departed = [frame["cause"].to_numpy() > 0 for frame in frames]
    terms = terms_of(frames, departed, tuple(TERMS) if kind == "cox" else (*TERMS, REGION))
    return matrix_rows(frames, departed, terms), terms


def with_columns(rows: Rows, received: np.ndarray) -> Rows:
    """The same with who had received each service, where that does not change over the rows."""
    return replace(rows, x=np.hstack([rows.x, np.asarray(received, dtype=float)[rows.stay]]))


def answers(
    method: str, kind: str, draws: Draws, terms: Terms, services: Sequence[str], control: str | None = None
) -> pd.DataFrame:
    """
    A row a service: the columns `COLUMNS`.

    Parameters
    ----------
    method, control : str
        What the rows are called.
    kind : {"cox", "discrete"}
    draws : Draws
        x: the columns of `terms`, then one a service (1 from when it counts).
    terms : Terms
    services : sequence of str
    """
    if not len(services):
        return pd.DataFrame(columns=list(COLUMNS))
    n = len(terms.columns)
    reasons, counts = _reasons(draws, n)
    answered = [j for j, reason in enumerate(reasons) if reason is None]
    parts = [(answered, _fitted(kind, draws, terms, services, answered))] if answered else []
    if len(answered) > 1 and parts[0][1].fault:
        parts = [([j], _fitted(kind, draws, terms, services, [j])) for j in answered]
    tables = [_table(kind, fitted, terms, [services[j] for j in chosen]) for chosen, fitted in parts]
    silent = [j for j, reason in enumerate(reasons) if reason is not None]
    counted = pd.DataFrame(counts[silent], columns=list(COUNTS))
    counted["service"] = [services[j] for j in silent]
    counted["note"] = [reasons[j] for j in silent]
    table = pd.concat([part for part in (*tables, counted) if len(part)], ignore_index=True)
    table = table.assign(method=method, control=control)
    return _shaped(table).sort_values("service", kind="stable", ignore_index=True)


def _reasons(draws: Draws, n: int) -> tuple[list[str | None], np.ndarray]:
    """Why nothing is said of each service (columns from the n-th on), or None; and `COUNTS`, means over the draws."""
    reasons: dict[int, str] = {}
    counts = []
    for rows in draws:
        departed, expected = rows.data["event"].to_numpy() > 0, _expected(rows.data)
        household, names = pd.factorize(rows.data["household_id"])
        n_stays = int(rows.stay.max(initial=-1)) + 1
        everybody = [distinct(rows.stay, n_stays), departed.sum()]
        of_draw = []
        for j in range(rows.x.shape[1] - n):
            exposed = rows.x[:, n + j] > 0
            n_households = distinct(household[exposed], len(names))
            of_draw.append([distinct(rows.stay[exposed], n_stays), departed[exposed].sum(), n_households, *everybody])
            for name, side in (("received", exposed), ("did_not_receive", ~exposed)):
                if j not in reasons and distinct(household[side], len(names)) < HOUSEHOLDS:
                    reasons[j] = f"too_few_households_{name}"
                if j not in reasons and (expected[side].sum() < EXITS or (side & departed).sum() < FEWEST):
                    reasons[j] = f"too_few_exits_{name}"
        counts.append(of_draw)
    return [reasons.get(j) for j in range(len(counts[0]))], np.mean(np.array(counts, dtype=float), axis=0)


def _expected(data: pd.DataFrame) -> np.ndarray:
    """Exits of each row if all left at the rate of everybody in each piece of time."""
    start, time = data["start"].to_numpy(dtype=float), data["time"].to_numpy(dtype=float)
    ends = np.array([*PIECES, np.inf])
    begins = np.append(0.0, ends[:-1])
    months = np.clip(np.minimum(time[:, None], ends) - np.maximum(start[:, None], begins), 0, None)
    exits = np.bincount(np.searchsorted(ends, time), data["event"].to_numpy() > 0, len(ends))
    return months @ (exits / np.maximum(months.sum(axis=0), 1.0))


def _fitted(kind: str, draws: Draws, terms: Terms, services: Sequence[str], chosen: Sequence[int]) -> Joined:
    n = len(terms.columns)
    kept_columns = [*range(n), *(n + j for j in chosen)]
    columns = (*terms.columns, *service_terms([services[j] for j in chosen]))
    return over_draws(kind, draws.changed(lambda _, rows: replace(rows, x=rows.x[:, kept_columns])), columns)


def _table(kind: str, fitted: Joined, terms: Terms, services: Sequence[str]) -> pd.DataFrame:
    names = [*dict.fromkeys(column.term for column in terms.columns), *([REGION] if kind == "cox" else [])]
    names += [OTHER_SERVICES] if len(services) > 1 else []
    adjusted = ", ".join(names)
    if fitted.fault:
        return pd.DataFrame({"service": services, "adjusted_for": adjusted, "note": "not_estimable"})
    is_service = [column.term == SERVICE for column in fitted.columns]
    table = fitted.table[is_service].reset_index(drop=True)
    table.insert(0, "service", services)
    with np.errstate(over="ignore"):
        for name, values in (("hazard_ratio", "estimate"), ("lower", "lower"), ("upper", "upper")):
            table[name] = np.exp(table[values])
    share = table["n_model_events"] / table["n_model_stays"]
    table["e_value"], table["e_value_limit"] = e_values_of_hazards(
        table["hazard_ratio"], table["lower"], table["upper"], share
    )
    table["note"] = None
    if kind == "cox":
        tests = tests_of("", fitted).iloc[:-1][is_service]
        table["note"] = np.where(tests["adjusted_p"].lt(LEVEL), "average_effect", None)  # type: ignore[call-overload]
    return table.assign(adjusted_for=adjusted)


def family(table: pd.DataFrame) -> pd.DataFrame:
    """The same with p-values adjusted over its services."""
    return table.assign(adjusted_p=benjamini_hochberg(table["p_value"].to_numpy(dtype=float)))


def _shaped(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of the answer, and p-values adjusted over the family: the services of one method."""
    table = family(table.reindex(columns=list(COLUMNS)))
    for name in ("method", "control", "adjusted_for", "note"):
        table[name] = table[name].astype(object).where(table[name].notna(), None)
    return table


# ----------------------------------------------------------------------------------------------------
# Landmark analyses: of those still there at a month, who had been served by then, and who leaves after it.

LANDMARKS = (3, 6)


def landmark(completed: Sequence[pd.DataFrame], services: pd.DataFrame, *, month: int) -> pd.DataFrame:
    """
    Exits after a month by services received up to it, among the stays that were under way and followed at it.

    Parameters
    ----------
    completed : sequence of DataFrame
        What `completed_stays` returned.
    services : DataFrame
        person_id, episode, month (since the establishment), service.
    month : int
        The landmark.

    Returns
    -------
    DataFrame
        The columns of `associations`, method `landmark_<month>`. A service received after the landmark counts as not
        received: the ratio is nearer 1 than that of the time-varying exposure where many are served late.

    Raises
    ------
    ValueError
        No draw is given; a landmark that is no whole month from 1 on.

    Notes
    -----
    Anderson, Cain & Gelber (1983). Cox, stratified by region, households as clusters, on each draw; Rubin's rules. Who
    came under observation after the landmark does not enter: whether they were there was not known then.

    Examples
    --------
    >>> from trajectories.simulate.served_stays import served_stays
    >>> stays = served_stays(1500, seed=1, ratio=0.4)
    >>> table = landmark(stays.completed, stays.services, month=6)
    >>> table.loc[0, ["service", "method"]].tolist(), bool(table.loc[0, "hazard_ratio"] < 1)
    (['pairing', 'landmark_6'], True)
    """
    if not len(completed):
        raise ValueError("completed: no draw is given.")
    if month < 1 or month != int(month):
        raise ValueError(f"month is {month}: give a whole month from 1 on.")
    frames = [
        frame[frame["at_risk"] & (frame["start"] <= month) & (frame["time"] > month)].reset_index(drop=True)
        for frame in completed
    ]
    names = sorted(services["service"].dropna().unique())
    if not min(len(frame) for frame in frames):
        nothing = pd.DataFrame({"service": names, "method": f"landmark_{month}", "note": "nobody_at_landmark"})
        return nothing.reindex(columns=list(COLUMNS)).astype({"control": object, "adjusted_for": object})
    frames = [frame.assign(start=month) for frame in frames]
    draws, terms = adjusted_rows(frames, "cox")
    received = [first_months(frame, services).reindex(columns=names).to_numpy(dtype=float) <= month for frame in frames]
    rows = draws.changed(lambda k, draw_rows: with_columns(draw_rows, received[k]))
    return answers(f"landmark_{month}", "cox", rows, terms, names)


def naive_ever_received(completed: Sequence[pd.DataFrame], services: pd.DataFrame) -> pd.DataFrame:
    """
    What not to do: those who ever received a service against those who never did, from the establishment on.

    Who was served late had to stay until then; counted as exposed before, they make every service seem to keep people
    (immortal time; Suissa 2008). For notebooks and tests that show it; no report prints it.

    Parameters
    ----------
    completed, services
        As in `associations`.

    Returns
    -------
    DataFrame
        The columns of `associations`, method `naive_ever_received`.

    Examples
    --------
    >>> from trajectories.simulate.served_stays import served_stays
    >>> stays = served_stays(1500, seed=1)
    >>> table = naive_ever_received(stays.completed, stays.services)
    >>> bool(table.loc[0, "upper"] < 1)
    True
    """
    frames = [frame[frame["at_risk"]].reset_index(drop=True) for frame in completed]
    names = sorted(services["service"].dropna().unique())
    draws, terms = adjusted_rows(frames, "cox")
    received = []
    for frame in frames:
        first = first_months(frame, services).reindex(columns=names).to_numpy(dtype=float)
        received.append(first <= frame["time"].to_numpy()[:, None])
    rows = draws.changed(lambda k, draw_rows: with_columns(draw_rows, np.asarray(received[k])))
    return answers("naive_ever_received", "cox", rows, terms, names)


# ----------------------------------------------------------------------------------------------------
# Draws of the exits in agreement with one service: who received it was there, and who did not may have been gone.
#
# Completed stays (analysis/imputation.py) know nothing of services. Some draws let a person leave before a service that
# they received; there they are no exposed stay, and those who remain exposed are the ones whose contacts are the
# better: a service seems to keep people though it does nothing. Here each stay's draws are taken again, each as often
# as it is likely given when the stay first received the service, or that it never did (importance resampling; Smith &
# Gelfand 1992):
#
# - received in month s: draws that end before s are impossible;
# - never received: e^{−Λ(T)}, Λ the cumulative rate of receiving it first among those still there.
#
# The rate is that of everybody, by month in pieces, and is estimated with the draws' weights in turns. The first
# receipt alone is used: later ones, and other services, would need a model of who is a client (the companion of the
# observation model has one; of a service given once it takes the silence for absence). A stay all of whose draws are
# impossible keeps them: its service counts in none.

TURNS = 8


def in_agreement(frames: Sequence[pd.DataFrame], first: np.ndarray, seed: int) -> list[np.ndarray]:
    """
    Which draw each stay's exit is taken from, for each of as many draws.

    Parameters
    ----------
    frames : sequence of DataFrame
        The draws, with the same stays in the same order: start, time.
    first : array of float
        The month of the service, missing where never.
    seed : int

    Returns
    -------
    list of array of int
        Positions in `frames`, a value a stay.
    """
    time = np.array([frame["time"].to_numpy(dtype=float) for frame in frames]).T  # stays × draws
    start = frames[0]["start"].to_numpy(dtype=float)
    weight = weights_of(start, time, first)
    rng = np.random.default_rng([seed, 9])
    share = np.cumsum(weight, axis=1)
    # one number a stay for all draws, a step apart: as few draws are lost as can be (systematic resampling)
    m = time.shape[1]
    order = rng.permuted(np.tile(np.arange(m), (len(time), 1)), axis=1)
    at = (order + rng.random((len(time), 1))) / m
    chosen = (share[:, None, :] < at[:, :, None] * share[:, -1:, None]).sum(axis=2)
    return list(np.minimum(chosen, m - 1).T)


def received_before(frames: Sequence[pd.DataFrame], which: np.ndarray) -> pd.DataFrame:
    """The stays, each with its exit and covariates of the draw chosen for it."""
    n = len(frames[0])
    columns = [name for name in frames[0] if any(not frame[name].equals(frames[0][name]) for frame in frames[1:])]
    changed = {
        name: pd.concat([frame[name] for frame in frames], ignore_index=True).iloc[which * n + np.arange(n)].to_numpy()
        for name in columns
    }
    return frames[0].reset_index(drop=True).assign(**changed)


def weights_of(start: np.ndarray, time: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How likely each stay's draws are, given its first receipt of a service: rows that add up to 1."""
    ends = np.array([*PIECES, np.inf])
    begins = np.append(0.0, ends[:-1])
    received = ~np.isnan(first)
    # received before the stay came under observation says nothing of its end
    counts = received & (first > start)
    until = np.where(received[:, None], np.minimum(time, np.where(received, first, 0)[:, None]), time)
    low = np.maximum(start[:, None, None], begins)
    exposed = np.clip(np.minimum(until[:, :, None], ends) - low, 0, None)  # stays × draws × pieces
    possible = np.where(counts[:, None], time >= np.where(counts, first, 0)[:, None], True)
    n_received = np.bincount(np.searchsorted(ends, first[counts]), minlength=len(ends))
    weight = np.full(time.shape, 1 / time.shape[1])
    for _ in range(TURNS):
        rate = n_received / np.maximum(np.einsum("ik,ikp->p", weight, exposed), 1.0)
        chance = np.where(received[:, None], possible, np.exp(-exposed @ rate))
        total = chance.sum(axis=1, keepdims=True)
        weight = np.where(total > 0, chance / np.where(total > 0, total, 1.0), 1 / time.shape[1])
    return weight


# ----------------------------------------------------------------------------------------------------
# Months weighted by the inverse of the chance of being seen: does what is found rest on who was seen?
#
# A service prolongs follow-up and proves presence: of who receives services more is known, and their months are known
# to be months of presence. Here each month at risk counts by the chance that somebody is seen (by a contact that finds
# them present, or a service) in such a month since the establishment, divided by the chance given what was recorded
# before (months since last seen, services received): in the weighted months, being seen does not depend on what went
# before (inverse-intensity-of-visit weights, stabilised; Lin, Scharfstein & Rosenheck 2004; Bůžková & Lumley 2007).
# The weight of a month knows nothing of that month or of later ones, so that without an effect the weighted hazard
# finds none.
#
# All months at risk enter, seen or not: what happened in those not seen is drawn (analysis/imputation.py), and where
# the draws are wrong about those served, weights do not put it right. Being seen may also depend on what is not
# recorded.

SEEN = ("present", "service")
# Months since last seen (or since the establishment) and numbers of services before, as classes.
GAPS, BEFORE = (1, 3, 6, 12), (0, 1, 3)
# A month counts at most ten times as much as another of its time, and at least a tenth: a few hardly ever seen would
# else decide alone.
MOST = 10.0
STEPS = 40
_KEYS = ["person_id", "episode"]


def months_seen(frame: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Position of the stay and month, from 1, of each row of person_id, episode, month that is of a stay of `frame`."""
    position = pd.Series(np.arange(len(frame)), index=pd.MultiIndex.from_frame(frame[_KEYS]))
    stay_position = position.reindex(pd.MultiIndex.from_frame(rows[_KEYS])).to_numpy(dtype=float)
    month = ceil_month(rows["month"])
    in_stay = ~np.isnan(stay_position) & (month > 0)
    return np.column_stack([stay_position[in_stay], np.asarray(month)[in_stay]]).astype(np.int64)


def weighted_rows(rows: Rows, first: np.ndarray, services: np.ndarray, contacts: np.ndarray) -> Rows:
    """
    Each stay cut where its weight or what it has received changes, with a column `weight`.

    Parameters
    ----------
    rows : Rows
        One row a stay, covariates only.
    first : array, stays × services
        The month of each service, missing where never.
    services, contacts : arrays of position of the stay and month
        All services; contacts at which somebody was seen.
    """
    start, time = (rows.data[name].to_numpy().astype(np.int64) for name in ("start", "time"))
    length = time - start
    stay = np.repeat(np.arange(len(start)), length)
    month = np.arange(len(stay)) - np.repeat(np.cumsum(length) - length, length) + start[stay] + 1
    weight = _weights(stay, month, services, contacts)
    span = int(time.max(initial=0)) + 2
    begins = np.isin(stay * span + month - 1, _keys(first, span))
    begins |= np.append(True, (stay[1:] != stay[:-1]) | (weight[1:] != weight[:-1]))
    at = np.flatnonzero(begins)
    last = np.append(at[1:], len(stay)) - 1
    of = stay[at]
    event = np.where(month[last] == time[of], rows.data["event"].to_numpy()[of], 0)
    data = rows.data.iloc[of].reset_index(drop=True)
    data = data.assign(start=month[at] - 1.0, time=month[last].astype(float), event=event, weight=weight[at])
    received = (first[of] < month[at][:, None]).astype(float)
    return Rows(data, np.hstack([rows.x[of], received]), of)


def _keys(first: np.ndarray, span: int) -> np.ndarray:
    stay, which = np.nonzero(first < span)
    return stay * span + first[stay, which].astype(np.int64)


def _weights(stay: np.ndarray, month: np.ndarray, services: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """The weight of each month at risk."""
    span = int(max(month.max(initial=0), services[:, 1].max(initial=0), contacts[:, 1].max(initial=0))) + 2
    service_keys = np.sort(services @ np.array([span, 1]))
    observed = np.unique(np.concatenate([service_keys, contacts @ np.array([span, 1])]))
    now = stay * span + month
    before = np.searchsorted(observed, now)  # how many were earlier, of this stay or those before it
    last = observed[np.maximum(before - 1, 0)] if len(observed) else np.zeros(len(now), np.int64)
    # who was not seen yet was seen at the establishment
    last = np.where((before > 0) & (last // span == stay), last % span, 0)
    gap = np.searchsorted(GAPS, month - last)
    received = np.searchsorted(BEFORE, np.searchsorted(service_keys, now) - np.searchsorted(service_keys, stay * span))
    piece = np.searchsorted(PIECES, month)
    cells = pd.DataFrame({"piece": piece, "gap": gap, "received": received, "seen": np.isin(now, observed)})
    by = cells.groupby(["piece", "gap", "received"], sort=True)["seen"]
    counted = by.agg(["size", "mean"]).reset_index()
    number, share = counted["size"].to_numpy(dtype=float), counted["mean"].to_numpy()
    sizes = {"piece": len(PIECES) + 1, "gap": len(GAPS) + 1, "received": len(BEFORE) + 1}
    x = np.hstack([np.ones((len(counted), 1)), *(indicators(counted[k].to_numpy(), n) for k, n in sizes.items())])
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        beta, _ = logit_step(beta, x, number, share, None)
    chance = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
    # the same model's chance in such a month whatever went before
    everybody = np.bincount(counted["piece"], number * chance) / np.maximum(np.bincount(counted["piece"], number), 1)
    weight = np.clip(everybody[counted["piece"]] / chance, 1 / MOST, MOST)
    return weight[by.ngroup().to_numpy()]


# ----------------------------------------------------------------------------------------------------
# Negative controls: associations that cannot be effects, made by the same code as those that might be.
#
# Where a control finds something, so might what is not measured or how things are recorded (Lipsitch, Tchetgen
# Tchetgen & Cohen 2010).
#
# `before_departure`: a service that an organisation of the metropole gave before the establishment and that cannot act
# on staying (`CONTROLS`). Exploratory visits are none of them: who has seen the town may choose it better.
#
# `permuted`: who received each service is drawn anew among the stays of the same organisation that were then under way
# and had not received it. As many are served, in the same months, by the same organisations; only not the same
# persons. Dates are not dealt out again among those served: who lives long is there to be served late, and given
# another's early date would have stayed exposed all that time without being able to leave. That makes an effect where
# there is none (tests/recovery/test_service_associations_recovery.py), in what is to be a control.

CONTROLS = ("information",)
BEFORE_DEPARTURE, PERMUTED = "before_departure", "permuted"


def control_services(stays: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """
    Services of `CONTROLS` that those of each stay surely received in the metropole before its establishment.

    Parameters
    ----------
    stays : DataFrame
        Rows of the table `cohort`.
    records, persons : DataFrame
        The tables `records` and `persons`.

    Returns
    -------
    DataFrame
        person_id, episode, month (since the latest day of the establishment, not above 0), service: the `before` of
        `associations`.
    """
    services = records.loc[
        records["organisation_zone"].eq(METROPOLE)
        & records["service"].isin(CONTROLS)
        & records["service_date_latest"].notna(),
        ["record_id", "service", "service_date_latest"],
    ].merge(persons[["record_id", "person_id"]], on="record_id")
    begun = stays[[*_KEYS, "establishment_earliest", "establishment_latest"]].dropna()
    before_stay = services.merge(begun, on="person_id")
    before_stay = before_stay[before_stay["service_date_latest"] < before_stay["establishment_earliest"]]
    month = -months_between(before_stay["service_date_latest"], before_stay["establishment_latest"])
    columns = [*_KEYS, "month", "service"]
    return before_stay.assign(month=month)[columns].sort_values(columns, ignore_index=True)


def permuted(first: pd.DataFrame, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """
    The months of `first` (stays × services) given to other stays of the same organisation.

    Parameters
    ----------
    first : DataFrame
        The month of each service, missing where never: a row a stay of `frame`.
    frame : DataFrame
        start, time; organisation_id (where absent, region; else all stays are of one).
    seed : int
        The same draws of a number a stay for every frame of as many stays: draws of the exits do not add to it.

    Returns
    -------
    DataFrame
        Of the shape of `first`. Months at which the stay was over are not in it, nor a late month at which all the
        organisation's stays then under way had already been given one.

    Examples
    --------
    >>> frame = pd.DataFrame({"start": 0, "time": [9, 9, 9, 2], "organisation_id": ["A", "A", "B", "A"]})
    >>> first = pd.DataFrame({"pairing": [5.0, np.nan, np.nan, np.nan]})
    >>> sorted(permuted(first, frame, 1)["pairing"].iloc[:2].dropna())
    [5.0]
    """
    group = next((name for name in ("organisation_id", REGION) if name in frame), None)
    code = np.zeros(len(frame), np.int64) if group is None else pd.factorize(frame[group].astype(object))[0]
    start, time = frame["start"].to_numpy(dtype=float), frame["time"].to_numpy(dtype=float)
    rng = np.random.default_rng([seed, 8])
    dealt = {}
    for name in first.columns:
        # received before the stay came under observation: it counts from then on
        since = np.maximum(first[name].to_numpy(dtype=float), start)
        counts = since < time
        order = rng.random(len(frame))
        permuted_months = np.full(len(frame), np.nan)
        for stratum in np.unique(code[counts]):
            members = np.flatnonzero(code == stratum)
            members = members[np.argsort(order[members])]
            begins, ends, new = start[members], time[members], permuted_months[members]
            months, numbers = np.unique(since[members][counts[members]], return_counts=True)
            for month, number in zip(months, numbers, strict=True):
                able = np.flatnonzero(np.isnan(new) & (begins <= month) & (ends > month))
                new[able[:number]] = month
            permuted_months[members] = new
        dealt[name] = permuted_months
    return pd.DataFrame(dealt, index=first.index)


# ----------------------------------------------------------------------------------------------------

READ = ("person_id", "episode", "household_id", REGION, "organisation_id", "start", "time", "cause", "at_risk", *TERMS)
METHODS = ("discrete", "cox", "with_services", "visit_weighted", *(f"landmark_{month}" for month in LANDMARKS))


def associations(
    completed: Sequence[pd.DataFrame],
    services: pd.DataFrame,
    *,
    contacts: pd.DataFrame | None = None,
    before: pd.DataFrame | None = None,
    study: Study,
    only: Sequence[str] | None = None,
) -> pd.DataFrame:
    """
    Services received after the establishment and the hazard of leaving the region, by several methods, and controls.

    Parameters
    ----------
    completed : sequence of DataFrame
        What `completed_stays` returned: person_id, episode, household_id, region, start, time, cause, at_risk,
        organisation_id and the covariates of `models.terms.TERMS` (those absent are left out).
    services : DataFrame
        person_id, episode, month (since the establishment), service: what `models.services_in_stays` returned.
    contacts : DataFrame, optional
        The table `contacts`; without it there is no method `visit_weighted`.
    before : DataFrame, optional
        What `controls.control_services` returned; without it there is no control `before_departure`.
    study : Study
        Its seed is used for the permuted control.
    only : sequence of str, optional
        Of `METHODS` and of the controls; by default all.

    Returns
    -------
    DataFrame
        A row a service, method and control:

        - service
        - method: `discrete` (time-varying, discrete-time hazard), `cox` (time-varying, start–stop), `with_services`
          (as discrete, on draws in agreement with the service), `visit_weighted` (as discrete, months weighted by the
          inverse of the chance of being seen), `landmark_3`, `landmark_6`
        - control: None, or `before_departure` or `permuted` (method `discrete`): no effect can be behind it
        - adjusted_for: the terms of the model beside the service, as « city_size, region, other_services »; of a
          `cox` or `landmark_…` region is a stratum
        - estimate, se: log hazard ratio; hazard_ratio, lower, upper (95 %): under 1, who received it leaves less
        - p_value, and adjusted_p over the services of the method (Benjamini & Hochberg 1995)
        - e_value, e_value_limit: of the ratio, and of the limit nearest 1 (1 where the limits hold 1)
        - missing: share of the variance that is due to what is drawn (0–1)
        - n_stays, n_events, n_households: that received it while at risk, and their exits after it; n_model_stays,
          n_model_events: all those of the model (means over the draws)
        - note: None; `too_few_households_received`, `…_did_not_receive`, `too_few_exits_received`,
          `…_did_not_receive`, `nobody_at_risk`, `nobody_at_landmark`, `not_estimable`: why there is no number;
          `average_effect` (of Cox models): the ratio changes over time, and this is its mean.

    Raises
    ------
    ValueError
        No draw is given; a name in `only` that is no method and no control.

    Notes
    -----
    Discrete-time hazard: complementary log-log (Prentice & Gloeckler 1978). Cox: stratified by region. Households as
    clusters (Lin & Wei 1989). Rubin's rules on the log scale (analysis/models.py). E-values: VanderWeele & Ding (2017);
    where 15 % of the stays or more ended, their square-root approximation of the ratio of risks stands for the hazard
    ratio. The services of a method are in one model, each given those received before it; a service received
    because of another then takes that part of its effect.

    Examples
    --------
    >>> from trajectories.simulate.served_stays import served_stays
    >>> stays = served_stays(1500, seed=1, ratio=0.4)
    >>> table = associations(stays.completed, stays.services, only=["discrete", "cox"], study=Study())
    >>> table[["service", "method"]].to_numpy().tolist()
    [['pairing', 'discrete'], ['reception', 'discrete'], ['pairing', 'cox'], ['reception', 'cox']]
    >>> (table["adjusted_p"] < 0.05).tolist()
    [True, False, True, False]
    """
    if not len(completed):
        raise ValueError("completed: no draw is given.")
    possible = (*METHODS, BEFORE_DEPARTURE, PERMUTED)
    unknown = [name for name in only or () if name not in possible]
    if unknown:
        raise ValueError(f"only: {', '.join(unknown)} is no method; they are {', '.join(possible)}.")
    frames = _at_risk(completed)
    names = sorted(services["service"].dropna().unique())
    if not min(len(frame) for frame in frames):
        nothing = pd.DataFrame({"service": names, "method": "discrete", "note": "nobody_at_risk"})
        return nothing.reindex(columns=list(COLUMNS)).astype({"control": object, "adjusted_for": object})
    firsts = [first_months(frame, services).reindex(columns=names) for frame in frames]
    methods: dict[str, Callable[[], pd.DataFrame]] = {
        "discrete": lambda: _time_varying("discrete", frames, firsts, names),
        "cox": lambda: _time_varying("cox", frames, firsts, names),
        "with_services": lambda: _with_services(completed, services, names, study.seed),
        "visit_weighted": lambda: _visit_weighted(frames, firsts, names, services, contacts),
        **{f"landmark_{month}": functools.partial(landmark, frames, services, month=month) for month in LANDMARKS},
        BEFORE_DEPARTURE: lambda: _before(frames, before),
        PERMUTED: lambda: _permuted(frames, firsts, names, study.seed),
    }
    needs = {"visit_weighted": contacts, BEFORE_DEPARTURE: before}
    absent = {name for name, given in needs.items() if given is None}
    chosen = [name for name in possible if name not in absent and (only is None or name in only)]
    tables = [table for table in (methods[name]() for name in chosen) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))


def _at_risk(completed: Iterable[pd.DataFrame]) -> list[pd.DataFrame]:
    """The stays at risk of each draw, and of their columns what is read here."""
    return [
        frame.loc[frame["at_risk"], [name for name in frame if name in READ]].reset_index(drop=True)
        for frame in completed
    ]


def _time_varying(kind: str, frames, firsts: Sequence[pd.DataFrame], names: Sequence[str], control: str | None = None):
    draws, terms = adjusted_rows(frames, kind)
    rows = draws.changed(lambda k, draw_rows: exposed_rows(draw_rows, firsts[k], names))
    return answers(kind, kind, rows, terms, names, control)


def _with_services(completed: Sequence[pd.DataFrame], services: pd.DataFrame, names: Sequence[str], seed: int):
    """Each service on draws in agreement with it, given the others."""
    parts = [pd.DataFrame(columns=list(COLUMNS))] if not names else []
    first = first_months(completed[0], services).reindex(columns=names)
    for name in names:
        chosen = in_agreement(completed, first[name].to_numpy(dtype=float), seed)
        frames = _at_risk(received_before(completed, which) for which in chosen)
        firsts = [first_months(frame, services).reindex(columns=names) for frame in frames]
        table = _time_varying("discrete", frames, firsts, names)
        parts.append(table[table["service"].eq(name)])
    return family(pd.concat(parts, ignore_index=True).assign(method="with_services"))


def _visit_weighted(frames, firsts, names: Sequence[str], services: pd.DataFrame, contacts: pd.DataFrame):
    draws, terms = adjusted_rows(frames, "discrete")
    visits = until_report(contacts)
    visits = visits[visits["kind"].isin(SEEN)]
    rows = draws.changed(
        lambda k, draw_rows: weighted_rows(
            draw_rows,
            firsts[k].to_numpy(dtype=float),
            months_seen(frames[k], services),
            months_seen(frames[k], visits),
        )
    )
    return answers("visit_weighted", "discrete", rows, terms, names)


def _before(frames: Sequence[pd.DataFrame], before: pd.DataFrame) -> pd.DataFrame:
    """Who received each of the services before, as a covariate."""
    names = sorted(before["service"].dropna().unique())
    draws, terms = adjusted_rows(frames, "discrete")
    received = [before.loc[before["service"].eq(name), ["person_id", "episode"]] for name in names]
    stays_with_service = [pd.MultiIndex.from_frame(some) for some in received]

    def beside(k: int, draw_rows: Rows) -> Rows:
        of_stay = pd.MultiIndex.from_frame(frames[k][["person_id", "episode"]])
        had = [of_stay.isin(some) for some in stays_with_service]
        return with_columns(draw_rows, np.array(had).reshape(len(names), len(of_stay)).T)

    rows = draws.changed(beside)
    return answers("discrete", "discrete", rows, terms, names, BEFORE_DEPARTURE)


def _permuted(frames, firsts: Sequence[pd.DataFrame], names: Sequence[str], seed: int) -> pd.DataFrame:
    dealt = [permuted(first, frame, seed) for frame, first in zip(frames, firsts, strict=True)]
    return _time_varying("discrete", frames, dealt, names, PERMUTED)
