"""How departures become known: contact failures, delays of reports, and departures that are missed.

The main estimate corrects for contact failure and hearing (docs/observation-model.md); they are results too. They show
where a scheduled contact would add information, and which departures are never reported. A researcher's table:
it is not protected and must not be published as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..study import Study
from ..survival import ObservedCurve, Reporting
from ..survival.observation.observed import LEARNT
from ..tables import PROVINCE
from .main_fits import learns
from .model_input import CAUSES, ModelInput, model_input, stays_that_enter

# Months since the exit at which the share heard of is given.
WITHIN = (1, 3, 6, 12, 24)
# By what a departure became known first; `never`: by nothing.
CHANNELS = ("contact", "region", "elsewhere", "never")
TOO_FEW = "too_few"
# The limits are indicative: more replicates or draws are not worth their cost.
REPLICATES = 100
DRAWS = 40
# Attempts under which the share that failed is noise: its standard error may be 0.08.
ATTEMPTS = 40
_COLUMNS = (
    "group", "measure", "of", "previous_failed", "month", "estimate", "lower", "upper", "n", "reporting", "note",
)  # fmt: skip


def how_departures_become_known(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    *,
    study: Study | None = None,
    by: str = PROVINCE,
    organisations: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """
    How departures become known, for everybody and by group.

    Parameters
    ----------
    cohort, contacts : DataFrame
        The tables `cohort` and `contacts` (columns as in `tables.COHORT` and `tables.CONTACTS`).
    study : Study, optional
        Its pathway, support, replicates (100 at most) and seed are used.
    by : str
        `province` (everybody only), `organisation` (the type of the organisation that saw the stay first), or a column
        of the cohort: `region`, `city_size`, `period`, …
    organisations : DataFrame, optional
        For `by="organisation"`: organisation_id and `kind`, or `organisation_zone`; the table `records` will do.

    Returns
    -------
    DataFrame
        group (first `province`), measure, of, previous_failed, month, estimate, lower, upper, n, reporting, note:

        - `contact_failure`, of `there` or `gone`, by whether the attempt before it failed: the share of scheduled
          contacts that reach nobody; n: attempts (expected).
        - `heard`, of a destination, by `month` since the exit: the share of those who left that somebody other than a
          contact has told of by then; n: exits of that destination that are known. Between contacts the month of an
          exit is not seen: the shares of the first three months are learnt least.
        - `known_by`, of `contact`, `region` (news from an organisation of the stay's own region), `elsewhere` or
          `never`: of all who left while they could be heard of, the share that became known so first; n: exits known.
        - `months_to_known`: the median of those that are known, from exit to first report.

        An estimate based on too few is missing, with the note `too_few`: under the study's support, for contact
        failure under 40 attempts, for hearing under 20 exits of that destination found by a contact before any news.
        A group that cannot learn hearing borrows the province's (`reporting`) for who is never heard of. Limits:
        household bootstrap; those of `known_by` and `months_to_known` are of the model, given the stays followed.

    Raises
    ------
    ValueError
        `by` is no column, or `organisations` is missing or says of no organisation what it is.

    Examples
    --------
    >>> from trajectories.simulate import told_stays
    >>> table = how_departures_become_known(*told_stays(3000, seed=2).tables(), study=Study(replicates=0))
    >>> failure = table.query("measure == 'contact_failure' and not previous_failed").set_index("of")["estimate"]
    >>> failure.round(1).to_dict()
    {'there': 0.1, 'gone': 0.5}
    """
    study = study or Study()
    stays = stays_that_enter(cohort, study)
    groups = _groups(stays, by, organisations)
    everybody = model_input(stays, contacts)
    if not len(stays):
        return pd.DataFrame(columns=_COLUMNS)
    home = _told_at_home(stays, everybody)
    replicates = min(study.replicates, REPLICATES)
    province = everybody.fit(study, replicates=replicates)
    parts = [_of_group(PROVINCE, everybody, home, province, study, "own")]
    for name, chosen in groups:
        group_input = everybody.of(chosen)
        lent = None if learns(group_input.fit(study)) else Reporting(None, province.reporting.hearing)
        fit = group_input.fit(study, replicates=replicates, reporting=lent)
        parts.append(_of_group(name, group_input, home[chosen], fit, study, "own" if lent is None else "borrowed"))
    return pd.concat(parts, ignore_index=True)


def _groups(stays: pd.DataFrame, by: str, organisations: pd.DataFrame | None) -> Iterator[tuple[str, np.ndarray]]:
    if by == PROVINCE:
        return iter(())
    if by == "organisation":
        label = stays["organisation_id"].map(_kinds(organisations))
    elif by in stays.columns:
        label = stays[by]
    else:
        raise ValueError(f"by={by!r} is neither province, organisation, nor a column of the cohort.")
    label = label.astype(object)
    labels = sorted(label.dropna().unique(), key=str)
    return iter([(str(value), label.eq(value).to_numpy(dtype=bool)) for value in labels])


def _kinds(organisations: pd.DataFrame | None) -> pd.Series:
    """The kind of each organisation, else its zone."""
    kind_columns = [] if organisations is None else [c for c in ("kind", "organisation_zone") if c in organisations]
    if organisations is None or not kind_columns or "organisation_id" not in organisations:
        raise ValueError("by='organisation' needs organisations: a table with organisation_id and kind (or its zone).")
    with_kind = organisations.dropna(subset=["organisation_id", kind_columns[0]])
    if with_kind.empty:
        raise ValueError(f"organisations: none of {len(organisations)} rows says what an organisation is.")
    return with_kind.groupby("organisation_id")[kind_columns[0]].agg(lambda values: values.mode().iloc[0])


def _told_at_home(stays: pd.DataFrame, stays_input: ModelInput) -> np.ndarray:
    """Whether each stay's first news is from an organisation of its own region (the region of most of its rows)."""
    region = stays["region"].astype(object).to_numpy()
    rows = stays_input.contacts.assign(region=region[stays_input.contacts["stay"].to_numpy()])
    reports = rows[rows["kind"].ne("news")].dropna(subset=["organisation", "region"])
    counts = reports.groupby(["organisation", "region"], observed=True).size().rename("rows").reset_index()
    home = counts.sort_values(["rows", "region"]).drop_duplicates("organisation", keep="last")
    home = home.set_index("organisation")["region"]
    news = rows[rows["kind"].eq("news")].sort_values(["stay", "month"], kind="stable").drop_duplicates("stay")
    is_home = np.zeros(len(stays), dtype=bool)
    is_home[news["stay"]] = news["organisation"].map(home).eq(news["region"]).to_numpy()
    return is_home


def _exits_found_by_contact(fit: ObservedCurve, cause: int) -> float:
    checks = fit.checks
    return float(checks.loc[checks["check"].eq("exits_found_by_contact") & checks["cause"].eq(cause), "value"].sum())


# ── the rows of one group ─────────────────────────────────────────────────────────────────────────────────
def _of_group(
    group: str, stays_input: ModelInput, home: np.ndarray, fit: ObservedCurve, study: Study, reporting: str
) -> pd.DataFrame:
    rows = [*_contact_failure(fit, study), *_heard(fit, reporting), *_known(stays_input, home, fit, study)]
    table = pd.DataFrame(rows).reindex(columns=_COLUMNS).assign(group=group, reporting=reporting)
    table["note"] = np.where(table["estimate"].isna(), TOO_FEW, None)  # type: ignore[call-overload]
    return table.astype({"month": "Int64", "n": "int64", "previous_failed": "boolean"})


def _contact_failure(fit: ObservedCurve, study: Study) -> Iterator[dict]:
    for row in fit.contact_failure.itertuples():
        enough = row.n_attempts >= max(study.support, ATTEMPTS)
        yield {
            "measure": "contact_failure",
            "of": row.presence,
            "previous_failed": row.previous_failed,
            "n": round(row.n_attempts),
            **_limits(row.probability, row.lower, row.upper, enough),
        }


def _heard(fit: ObservedCurve, reporting: str) -> Iterator[dict]:
    checks = fit.checks[fit.checks["check"].isin(["exits_found_by_contact", "exits_heard"])]
    n = checks.groupby("cause")["value"].sum()
    for row in fit.hearing[fit.hearing["month"].isin(WITHIN)].itertuples():
        enough = reporting == "own" and _exits_found_by_contact(fit, row.cause) >= LEARNT
        yield {
            "measure": "heard",
            "of": CAUSES[row.cause - 1],
            "month": row.month,
            "n": round(n.get(row.cause, 0)),
            **_limits(row.share, row.lower, row.upper, enough),
        }


def _known(stays_input: ModelInput, home: np.ndarray, fit: ObservedCurve, study: Study) -> Iterator[dict]:
    rows = stays_input.contacts[stays_input.contacts["kind"].isin(["left", "news"])]
    # on the same day the news comes first: it was filed before the contact was known
    first = rows.assign(rank=rows["kind"].eq("left")).sort_values(["stay", "month", "rank"], kind="stable")
    first = first.drop_duplicates("stay").set_index("stay")
    inside = first["month"].le(stays_input.heard_until[first.index] + 1e-9)
    entry = stays_input.entry[first.index]
    first = first[inside & (first["month"].gt(entry) | (entry == 0))]
    is_known, month = np.zeros(len(stays_input), dtype=bool), np.full(len(stays_input), np.nan)
    is_known[first.index], month[first.index] = True, first["month"]
    by_contact = np.zeros(len(stays_input), dtype=bool)
    by_contact[first.index] = first["kind"].eq("left")
    by = {
        "contact": is_known & by_contact,
        "region": is_known & ~by_contact & home,
        "elsewhere": is_known & ~by_contact & ~home,
    }
    n = int(is_known.sum())
    enough = n >= study.support
    draws = fit.draw(DRAWS, study.seed)
    n_left = np.maximum(((draws[..., 1] > 0) | is_known).sum(axis=1), 1)
    spread = DRAWS if not np.isnan(fit.table["se"]).all() else 0
    shares = {name: members.sum() / n_left for name, members in by.items()}
    shares["never"] = 1 - n / n_left
    for name in CHANNELS:
        yield {"measure": "known_by", "of": name, "n": n, **_of_draws(shares[name], spread, enough)}
    late = np.array([_median(month[is_known] - exit_month[is_known]) for exit_month in draws[..., 0]])
    yield {"measure": "months_to_known", "of": "known", "n": n, **_of_draws(late, spread, enough)}


def _median(delays: np.ndarray) -> float:
    # an exit is known to the month: half a month puts it at the middle
    return float(np.median(np.maximum(delays + 0.5, 0.0))) if len(delays) else np.nan


def _of_draws(values: np.ndarray, spread: int, enough: bool) -> dict:
    lower, upper = np.quantile(values, [0.025, 0.975]) if spread else (np.nan, np.nan)
    return _limits(float(values.mean()), lower, upper, enough)


def _limits(estimate: float, lower: float, upper: float, enough: bool) -> dict:
    values = {"estimate": estimate, "lower": lower, "upper": upper}
    return values if enough else dict.fromkeys(values, np.nan)
