"""The sensitivity panel: retention under other settings of the study, one changed at a time.

A study chooses a perimeter, a scope, a grace period, a threshold of linkage; it follows persons by some schedule, loses
some, and knows some establishments as an interval only. Each row is the main estimate with one of these changed and the
others as in the study, without limits: the question is how far the estimate moves.

- `perimeter`, `scope`: these change the question; they show how much depends on the definition.
- `grace_days`: half and twice as long.
- `match_threshold`: looser and stricter linkage, as in linkage_sensitivity.py.
- `lost`: the bounds, everybody lost left or stayed (bounds.py).
- `follow_up`: as if nobody had been followed after an earlier contact of the schedule. Stays are then censored at that
  contact, all of them: leaving out one contact in the middle would censor only those whom it found gone.
- `origin`: the day of establishment drawn inside its interval [e₁, e₂], members of a household together, and the whole
  cohort drawn again from it; `wide_starts`: the same with the stays kept whose start is wider than three months.

Nothing here may be shown before `protect`: the cohorts are nearly the same persons.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..groups import members
from ..stays.cohort import Cohort, build_cohort
from ..stays.contacts import SLACK_MONTHS
from ..stays.partitions import build_stays
from ..stays.spells import Residences, cutoff_of
from ..study import PERIMETERS, SCOPES, Study
from ..tables import PROVINCE, REGION
from . import BOUNDS, estimate
from .bounds import companion_estimate, observed_intervals
from .model_input import stays_that_enter

COLUMNS = (
    "measure", "setting", "value", "group", "horizon", "estimate", "difference", "n_start", "n_at_risk", "n_confirmed",
    "known", "method", "note",
)  # fmt: skip
AS_ASKED = "study"
_NOTES = {
    AS_ASKED: "as the study asks",
    "perimeter": "another metropolitan territory",
    "scope": "leaving the region, or leaving every region",
    "grace_days": "how long a repeated old address is no news",
    "match_threshold": "probability from which two files are of one person",
    "lost": "a bound: everybody lost left, or stayed",
    "follow_up": "as if followed to an earlier contact only",
    "origin": "establishment drawn inside its interval",
    "wide_starts": "the same, with starts wider than three months kept",
}
Named = tuple[str, str, pd.DataFrame]
Stays = Callable[..., tuple[Residences, Cohort]]


def panel(  # noqa: PLR0913  # tables at hand, by keyword
    records: pd.DataFrame,
    persons: pd.DataFrame,
    alternatives: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] = (PROVINCE,),
    horizons: Iterable[int] = (12, 24),
    draws: int = 5,
    linkage: pd.DataFrame | None = None,
    executor: Executor | None = None,
    deposits: pd.Series | None = None,
) -> pd.DataFrame:
    """
    Retention under each setting, moved one at a time.

    Parameters
    ----------
    records, persons, alternatives : DataFrame
        The tables `records`, `persons` and `alternatives` (the persons at other linkage thresholds).
    study : Study
        The settings of the main estimate, each changed in turn.
    groups : iterable of str
        As for `retention`; each group needs one fit for every row.
    horizons : iterable of int
        Months.
    draws : int
        How many times the establishments are drawn inside their intervals.
    linkage : DataFrame, optional
        Result of `linkage_sensitivity` for this study and these horizons; reused instead of computed again.
    executor : Executor, optional
        Runs the reconstruction under each setting (stays/partitions.py).
    deposits : Series, optional
        When each organisation stopped depositing (`contacts.last_deposits`), where these are not all records.

    Returns
    -------
    DataFrame
        measure (`retention`), setting (`study` first, then as in the module), value (as text), group, horizon (months),
        estimate (0–1), difference (from the study's own), n_start, n_at_risk, n_confirmed (stays), known, method
        (`main`; the bound's name for `lost`), note. A horizon that is `insufficient` has no estimate.

    Raises
    ------
    ValueError
        A group that is neither known nor of the form `column=value`.
    """
    groups, horizons = tuple(groups), tuple(sorted(set(horizons)))
    # one cut-off for all settings
    study = replace(study, replicates=0, horizons=horizons, cutoff=cutoff_of(study, records).date())
    stays = functools.partial(build_stays, records, deposits=deposits, executor=executor)
    rebuilt = functools.partial(stays, persons)
    residences, cohort = rebuilt(study=study)
    study_rates: Named = (AS_ASKED, "as asked", _main(cohort, study, groups))
    redrawn = functools.partial(build_cohort, records=records, persons=persons, study=study, deposits=deposits)
    # first the settings that use the study's own stays, so that their memory can be freed
    on_study_stays = [*_bounds(cohort, study, groups), *_shorter_follow_up(cohort, study, groups)]
    on_study_stays += _drawn_origins(residences, cohort, redrawn, study, groups, draws)
    del residences, cohort
    others = [study_rates, *_other_territories(rebuilt, study, groups), *_other_graces(rebuilt, study, groups)]
    return _with_differences([*others, *_other_links(stays, alternatives, study, groups, linkage), *on_study_stays])


def range_of(table: pd.DataFrame, *, without: Iterable[str] = ("lost",)) -> pd.DataFrame:
    """
    The lowest and the highest estimate of a panel.

    Parameters
    ----------
    table : DataFrame
        As `panel` returns it.
    without : iterable of str
        Settings that do not count: by default the bounds, which are printed beside every estimate.

    Returns
    -------
    DataFrame
        One row a group and horizon: group, horizon, estimate (the study's), lowest, lowest_setting, lowest_value,
        highest, highest_setting, highest_value, n_settings (rows with an estimate). A group and horizon without an
        estimate of the study's has no row.

    Examples
    --------
    >>> settings = pd.DataFrame({"setting": ["study", "scope", "lost"], "value": ["as asked", "any_region", "left"],
    ...     "group": "province", "horizon": 12, "estimate": [0.8, 0.86, 0.5]})
    >>> range_of(settings)[["lowest", "highest", "highest_setting"]].to_numpy().tolist()
    [[0.8, 0.86, 'scope']]
    """
    table_rows = []
    counted = table[~table["setting"].isin(list(without)) & table["estimate"].notna()]
    for (group, horizon), settings in counted.groupby(["group", "horizon"], sort=False):
        study_estimate = settings.loc[settings["setting"].eq(AS_ASKED), "estimate"]
        if study_estimate.empty:
            continue
        low, high = settings.loc[settings["estimate"].idxmin()], settings.loc[settings["estimate"].idxmax()]
        table_rows.append(
            {
                "group": group,
                "horizon": horizon,
                "estimate": study_estimate.iloc[0],
                "lowest": low["estimate"],
                "lowest_setting": low["setting"],
                "lowest_value": low["value"],
                "highest": high["estimate"],
                "highest_setting": high["setting"],
                "highest_value": high["value"],
                "n_settings": len(settings),
            }
        )
    names = (
        "group",
        "horizon",
        "estimate",
        "lowest",
        "lowest_setting",
        "lowest_value",
        "highest",
        "highest_setting",
        "highest_value",
        "n_settings",
    )
    return pd.DataFrame(table_rows, columns=list(names))


def _with_differences(settings: list[Named]) -> pd.DataFrame:
    """The estimates in one table, with their difference from the study's own."""
    named = [rates.assign(setting=setting, value=value, note=_NOTES[setting]) for setting, value, rates in settings]
    table = pd.concat(named, ignore_index=True)
    study_rates = table[table["setting"].eq(AS_ASKED)].set_index(["group", "horizon"])["estimate"]
    reference = study_rates.reindex(pd.MultiIndex.from_frame(table[["group", "horizon"]])).to_numpy()
    return table.assign(measure="retention", difference=table["estimate"] - reference)[list(COLUMNS)]


def _main(cohort: Cohort, study: Study, groups: tuple[str, ...]) -> pd.DataFrame:
    rates = estimate(cohort.cohort, cohort.contacts, study=study, groups=groups, companions=False).retention
    return rates[rates["method"].eq("main")]


# ── one setting moved ─────────────────────────────────────────────────────────────────────────────────────
def _other_territories(rebuilt: Stays, study: Study, groups: tuple[str, ...]) -> Iterator[Named]:
    for setting, values in (("perimeter", PERIMETERS), ("scope", SCOPES)):
        for value in values:
            if value != getattr(study, setting):
                change: dict[str, Any] = {setting: value}
                changed_study = replace(study, **change)
                yield setting, value, _main(rebuilt(study=changed_study)[1], changed_study, groups)


def _other_graces(rebuilt: Stays, study: Study, groups: tuple[str, ...]) -> Iterator[Named]:
    for days in sorted({study.grace_days // 2, study.grace_days * 2} - {study.grace_days}):
        changed_study = replace(study, grace_days=days)
        yield "grace_days", str(days), _main(rebuilt(study=changed_study)[1], changed_study, groups)


def _other_links(
    stays: Stays, alternatives: pd.DataFrame, study: Study, groups: tuple[str, ...], linkage: pd.DataFrame | None
) -> Iterator[Named]:
    if linkage is not None:
        rows = linkage[linkage["group"].isin(groups) & linkage["horizon"].isin(study.horizons)]
        rows = rows[~rows["setting"].eq(AS_ASKED)]
        for threshold, rates in rows.groupby("threshold", sort=True):
            yield "match_threshold", f"{threshold:g}", rates.drop(columns=["setting"]).assign(method="main")
        return
    for threshold, linked in alternatives.groupby("threshold", sort=True):
        linked = linked.drop(columns=["threshold", "draw"], errors="ignore").reset_index(drop=True)
        yield "match_threshold", f"{threshold:g}", _main(stays(linked, study=study)[1], study, groups)


def _bounds(cohort: Cohort, study: Study, groups: tuple[str, ...]) -> Iterator[Named]:
    """Both bounds, shown only where both have enough stays at risk."""
    stays = stays_that_enter(cohort.cohort, study)
    intervals = observed_intervals(stays, cohort.contacts)
    of_group = members(stays, study, groups)
    by_bound = {}
    for bound in BOUNDS:
        for group, chosen in of_group.items():
            fitted = companion_estimate(intervals[chosen], bound, study)
            if fitted is not None:
                by_bound[bound, group] = fitted[fitted["cause"].eq(0)].set_index("month").reindex(study.horizons)
    for bound in BOUNDS:
        tables = []
        for group, chosen in of_group.items():
            supported = [by_bound[bound_name, group] for bound_name in BOUNDS if (bound_name, group) in by_bound]
            if len(supported) < len(BOUNDS):
                continue
            enough = np.all([bound_name["n_risk"].fillna(0) >= study.support for bound_name in supported], axis=0)
            rates = by_bound[bound, group]
            counts = rates[["n_risk", "n_confirmed"]].fillna(0).astype("int64")
            tables.append(
                pd.DataFrame(
                    {
                        "group": group,
                        "horizon": study.horizons,
                        "method": bound,
                        "n_start": int(chosen.sum()),
                        "estimate": np.where(enough, rates["incidence"], np.nan),
                        "n_at_risk": counts["n_risk"].to_numpy(),
                        "n_confirmed": counts["n_confirmed"].to_numpy(),
                        "known": np.where(enough, "observed", "insufficient"),
                    }
                )
            )
        if tables:
            yield "lost", bound, pd.concat(tables, ignore_index=True)


def _shorter_follow_up(cohort: Cohort, study: Study, groups: tuple[str, ...]) -> Iterator[Named]:
    schedule = study.follow_up_months
    for k in range(1, len(schedule)):
        last = schedule[k - 1]
        if last < min(study.horizons):
            continue
        # a contact may be held a little after it was due
        until = cohort.cohort[["heard_until", "cutoff"]].clip(upper=last + SLACK_MONTHS)
        cut = cohort.cohort.assign(**until)
        # later news does not enter: the estimator leaves it out
        rates = _main(Cohort(cut, cohort.contacts), study, groups)
        yield "follow_up", ", ".join(map(str, schedule[:k])), rates


def _drawn_origins(
    study_residences: Residences,
    cohort: Cohort,
    redrawn: Callable[..., Cohort],
    study: Study,
    groups: tuple[str, ...],
    draws: int,
) -> Iterator[Named]:
    rng = np.random.default_rng([study.seed, 7])
    keys = ["person_id", "episode"]
    left_out = pd.MultiIndex.from_frame(cohort.cohort.loc[cohort.cohort["excluded"].notna(), keys])
    wide = []
    for k in range(1, draws + 1):
        residences = replace(study_residences, spells=drawn_starts(study_residences.spells, rng))
        rebuilt = redrawn(residences)
        yield "origin", f"draw {k}", _main(_without(rebuilt, left_out), study, groups)
        wide.append(("wide_starts", f"draw {k}", _main(rebuilt, study, groups)))
    yield from wide


def _without(cohort: Cohort, left_out: pd.MultiIndex) -> Cohort:
    """Exclude the stays that the study excludes, even where the drawn start would admit them."""
    out = pd.MultiIndex.from_frame(cohort.cohort[["person_id", "episode"]]).isin(left_out)
    excluded = cohort.cohort["excluded"].where(~(out & cohort.cohort["excluded"].isna()), "start_wider_than_3_months")
    return Cohort(cohort.cohort.assign(excluded=excluded), cohort.contacts)


def drawn_starts(spells: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """
    Spells en région whose start is a day drawn evenly inside its interval, one number a household.

    Parameters
    ----------
    spells : DataFrame
        The table `spells`: household_id, zone, start_earliest and start_latest are read.
    rng : Generator

    Examples
    --------
    >>> days = pd.to_datetime(["2021-01-01", "2021-01-31"])
    >>> spells = pd.DataFrame({"household_id": ["h"], "zone": ["region"], "start_earliest": days[:1],
    ...     "start_latest": days[1:]})
    >>> spells = drawn_starts(spells, np.random.default_rng(1))
    >>> bool((spells["start_earliest"] == spells["start_latest"]).all()), str(spells["start_latest"][0].date())
    (True, '2021-01-16')
    """
    household, _ = pd.factorize(spells["household_id"], sort=True)
    u = rng.random(household.max(initial=-1) + 1)[household]
    width = (spells["start_latest"] - spells["start_earliest"]).dt.days
    open_ = spells["zone"].eq(REGION) & width.gt(0)
    day = spells["start_earliest"] + pd.to_timedelta(np.floor(u * (width.fillna(0) + 1)), unit="D")
    return spells.assign(
        start_earliest=spells["start_earliest"].where(~open_, day),
        start_latest=spells["start_latest"].where(~open_, day),
    )
