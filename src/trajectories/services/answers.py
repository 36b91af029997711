"""One method's answers on all services: what is fitted, what is said, and what is not said for want of numbers.

Every method ends here: rows whose last columns tell who had received each service, a kernel of models/, Rubin's rules.
The services of a method are in one model, each given the others; where that cannot be fitted, each is alone. Rules:

1. A service is spoken of where `HOUSEHOLDS` households received it and as many have months in which they had not (yet):
   clustered standard errors of fewer are too small (Cameron & Miller 2015 put the trouble under 20 to 50 clusters).
2. `EXITS` exits are expected on each side, did those exposed leave as everybody does: ten for a coefficient (Peduzzi et
   al. 1995). Expected, not seen: chosen by its own exits, a service would be spoken of when chance had made many leave,
   and would seem to do harm (models/terms.py).
3. Of its own, each side has `FEWEST` exits, without which the ratio is 0 or infinite.

Each holds in every draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..models.joined import benjamini_hochberg
from ..models.person_months import PIECES
from ..models.proportional import LEVEL, tests_of
from ..models.regressions import COUNTS, REGION, Draws, Joined, Rows, distinct, matrix_rows, over_draws
from ..models.services import SERVICE, service_terms
from ..models.terms import FEWEST, TERMS, Terms, terms_of
from .evalue import e_values_of_hazards

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
    left = [frame["cause"].to_numpy() > 0 for frame in frames]
    terms = terms_of(frames, left, TERMS if kind == "cox" else (*TERMS, REGION))
    return matrix_rows(frames, left, terms), terms


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
    said = [j for j, reason in enumerate(reasons) if reason is None]
    parts = [(said, _fitted(kind, draws, terms, services, said))] if said else []
    if len(said) > 1 and parts[0][1].fault:
        parts = [([j], _fitted(kind, draws, terms, services, [j])) for j in said]
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
    found: dict[int, str] = {}
    counts = []
    for rows in draws:
        left, expected = rows.data["event"].to_numpy() > 0, _expected(rows.data)
        household, names = pd.factorize(rows.data["household_id"])
        n_stays = int(rows.stay.max(initial=-1)) + 1
        everybody = [distinct(rows.stay, n_stays), left.sum()]
        of_draw = []
        for j in range(rows.x.shape[1] - n):
            exposed = rows.x[:, n + j] > 0
            n_households = distinct(household[exposed], len(names))
            of_draw.append([distinct(rows.stay[exposed], n_stays), left[exposed].sum(), n_households, *everybody])
            for name, side in (("received", exposed), ("did_not_receive", ~exposed)):
                if j not in found and distinct(household[side], len(names)) < HOUSEHOLDS:
                    found[j] = f"too_few_households_{name}"
                if j not in found and (expected[side].sum() < EXITS or (side & left).sum() < FEWEST):
                    found[j] = f"too_few_exits_{name}"
        counts.append(of_draw)
    return [found.get(j) for j in range(len(counts[0]))], np.mean(np.array(counts, dtype=float), axis=0)


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
    kept = [*range(n), *(n + j for j in chosen)]
    columns = (*terms.columns, *service_terms([services[j] for j in chosen]))
    return over_draws(kind, draws.changed(lambda _, rows: replace(rows, x=rows.x[:, kept])), columns)


def _table(kind: str, fitted: Joined, terms: Terms, services: Sequence[str]) -> pd.DataFrame:
    names = [*dict.fromkeys(column.term for column in terms.columns), *([REGION] if kind == "cox" else [])]
    names += [OTHER_SERVICES] if len(services) > 1 else []
    adjusted = ", ".join(names)
    if fitted.fault:
        return pd.DataFrame({"service": services, "adjusted_for": adjusted, "note": "not_estimable"})
    own = [column.term == SERVICE for column in fitted.columns]
    table = fitted.table[own].reset_index(drop=True)
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
        tests = tests_of("", fitted).iloc[:-1][own]
        table["note"] = np.where(tests["adjusted_p"].lt(LEVEL), "average_effect", None)
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
