"""Gaps: needs that no service answered, reasons for leaving beside services received, scheduled contacts not held.

Each is a description of what the records say, never of what would have kept anybody. `observed_expected` (expected.py)
belongs here as well.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ...groups import members
from ...months import add_months
from ...stays.contacts import ATTEMPTS, SLACK_MONTHS
from ...stays.observations import is_departure
from ...study import Study
from ...survival.limits import incidence_limits
from ...tables import EXIT_REASONS, METROPOLE, NEEDS, first_known
from .service_events import (
    TOO_FEW,
    TOO_FEW_ORGANISATIONS,
    Served,
    beside_stays,
    dated_rows,
    day_after,
    fewest,
    finished,
    service_events,
    with_shares,
)
from .use import AFTER_MONTHS, AROUND_DAYS, first_stays

NEED, REASON, COVERAGE = "need_without_service", "reason_and_service", "follow_up_coverage"
# The service that answers each need. Health, transport and « other » have none in the list of services.
ANSWERS = {
    "job": "job_search",
    "housing": "housing_search",
    "francization": "francization",
    "school": "family_support",
    "childcare": "family_support",
    "network": "pairing",
}
# What says that a need is met without any service.
FOUND = {"job": ("job_found", "job_date"), "housing": ("housing_found", "housing_date")}
# The service for each reason of leaving; the others have none in the list.
FOR_REASON = {
    "job": "job_search",
    "housing": "housing_search",
    "family": "family_support",
    "language": "francization",
    "isolation": "pairing",
}
NO_SERVICE = "no_such_service"
# A type of organisation with fewer is as good as a name.
FEWEST_ORGANISATIONS = 3
# So has a type of which one organisation has nearly everybody.
DOMINANT = 0.85
# From so many households on an organisation is of the larger ones.
LARGER = 50


def needs_without_service(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    months: int = 6,
    study: Study,
    groups: Iterable[str] | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Households that told of a need and, so many months later, had neither found nor been given what answers it.

    Parameters
    ----------
    cohort, records, persons : DataFrame
        The tables `cohort`, `records` and `persons`.
    months : int
        How long one waits, from the first day on which the need is told (not before the establishment).
    study : Study
        Its pathway, groups, support and disclosure.households are used.
    groups : iterable of str, optional
        As in `groups.members`; a column is that of the household's principal.
    ready : Served, optional
        As in `reach`.

    Returns
    -------
    DataFrame
        measure (`need_without_service`), group, need (one of NEEDS), service (that answers it), horizon (months),
        estimate (share of the households with the need that are still without, and not known to have left), se, lower,
        upper (95 %, Wilson), n_start and n_at_risk (households with the need, observed for so long), households
        (without), left_before (households that left before anything answered), unknown (with the need, not observed
        for so long, nor known to have died: in no share), persons (who told of the need, of
        the households without), method (`whole_window`), note (`no_such_service`: nothing in the list of services
        answers this need, no number; `too_few_households`).

        A need counts where it is told from 31 days before the establishment to 12 months after it. It is answered by
        the service, from any organisation, at most 31 days before the need was told, by `emploi_obtenu` or
        `logement_trouve`, whenever (a date of its own counts, else the row's). A service on a row of imprecise date
        counts on its latest day.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> from trajectories.analysis.services.example import one_household
    >>> one = one_household()
    >>> table = needs_without_service(*example_tables(), study=one, groups=["05"])
    >>> table.loc[table["need"].isin(["job", "health"]), ["need", "households", "n_start", "note"]].values.tolist()
    [['job', 1, 1, None], ['health', <NA>, <NA>, 'no_such_service']]
    """
    ready = ready or service_events(cohort, records, persons, study)
    stays_of_households, services = ready.household_stays, ready.services
    stays = stays_of_households.stays
    found_by = [name for flag, date in FOUND.values() for name in (flag, f"{date}_latest")]
    rows = dated_rows(records, persons, "needs", *found_by)
    needs = rows["needs"].notna() | rows[[flag for flag, _ in FOUND.values()]].any(axis=1).astype(bool)
    rows = beside_stays(rows[needs], stays_of_households)
    needs = _needs_told(rows)
    services = beside_stays(services[services["fault"].isna()], stays_of_households)
    frames = []
    chosen = first_stays(stays_of_households, study, groups)
    for need in NEEDS:
        if need not in ANSWERS:
            frames += [pd.DataFrame({"group": [group], "need": need, "note": NO_SERVICE}) for group in chosen]
            continue
        of_need = needs[needs["need"].eq(need)]
        start = of_need.groupby("stay")["told"].min().reindex(stays.index).astype("datetime64[ns]")
        end = pd.Series(add_months(start, months).astype("datetime64[ns]"), index=stays.index)
        answering = services[services["service"].eq(ANSWERS[need])]
        since = answering["stay"].map(start) - pd.Timedelta(days=AROUND_DAYS)
        answers = [answering.loc[answering["latest"] >= since, ["stay", "latest"]].rename(columns={"latest": "day"})]
        if need in FOUND:
            answers.append(_found_by(rows, *FOUND[need]))
        answered = pd.concat(answers).groupby("stay")["day"].min().reindex(stays.index).astype("datetime64[ns]")
        in_time = answered <= end
        departed = ~in_time & stays["ended"].notna() & ~stays["died"] & (stays["ended"] <= end)
        death = stays["died"] & (stays["ended"] <= end)
        is_observed = start.notna() & (stays["until"] >= end) & ~death
        unknown = start.notna() & ~is_observed & ~death
        without = is_observed & ~in_time & ~departed
        people = of_need.groupby("stay")["person_id"].nunique().reindex(stays.index, fill_value=0)
        for group, in_group in chosen.items():
            in_subgroup = in_group & is_observed
            n, lacking = int(in_subgroup.sum()), in_group & without
            frames.append(
                pd.DataFrame(
                    {
                        "group": [group],
                        "need": need,
                        "service": ANSWERS[need],
                        "n_start": n,
                        "n_at_risk": n,
                        "households": int(lacking.sum()),
                        "left_before": int((in_subgroup & departed).sum()),
                        "unknown": int((in_group & unknown).sum()),
                        "persons": int(people[lacking].sum()),
                    }
                )
            )
    frames = [
        (with_shares(f, "households") if "n_start" in f else f).assign(
            measure=NEED, horizon=float(months), method="whole_window"
        )
        for f in frames
    ]
    return finished(
        frames, ("need", "service"), ("households", "left_before", "unknown", "persons"), least=fewest(study)
    )


def _needs_told(rows: pd.DataFrame) -> pd.DataFrame:
    """Each need of each row beside a stay: stay, person_id, need, told (not before the establishment)."""
    limit = pd.Series(add_months(rows["begins"], AFTER_MONTHS).astype("datetime64[ns]"), index=rows.index)
    near = (rows["latest"] >= rows["begins"] - pd.Timedelta(days=AROUND_DAYS)) & (rows["latest"] <= limit)
    rows = rows[rows["needs"].notna() & near & ~(rows["earliest"] > rows["ended_by"])]
    # where a date is imprecise, waiting begins on its last day
    latest_day = rows["latest"].where(rows["latest"] > rows["begins"], rows["begins"])
    split = rows.assign(need=rows["needs"].str.split(";"), told=latest_day)[["stay", "person_id", "need", "told"]]
    return split.explode("need", ignore_index=True).assign(need=lambda f: f["need"].str.strip())


def _found_by(rows: pd.DataFrame, flag: str, date: str) -> pd.DataFrame:
    """When a row first says that it is found: stay, day."""
    rows = rows[rows[flag].eq(True).fillna(False).astype(bool)]
    return pd.DataFrame({"stay": rows["stay"], "day": rows[f"{date}_latest"].fillna(rows["latest"])})


# ── reasons ───────────────────────────────────────────────────────────────────────────────────────────────
def reasons_and_services(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Of the households that left for each reason, those that had been given the service for it during the stay.

    Parameters
    ----------
    cohort, records, persons, study, groups, ready
        As in `needs_without_service`.

    Returns
    -------
    DataFrame
        measure (`reason_and_service`), group, reason (one of EXIT_REASONS but death), service (for it), horizon
        (missing), estimate (share with the service before they left), se, lower, upper (95 %, Wilson), n_start and
        n_at_risk (households that left for the reason), households (with the service), persons (members of those that
        left for the reason, by the household's stay), method (`told_reasons`), note (`no_such_service`: nothing in
        the list of services is for this reason: counts, no share; `too_few_households`).

        A household may have told of several reasons, and is in each. Only departures that somebody gave a reason for
        are in: no share of all who left. Who looks for work is more often helped to look for it and more often
        leaves for want of it: a high share does not say that the service fails.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> reasons_and_services(*example_tables(), groups=["05"], study=Study())["note"].unique().tolist()  # nobody left
    ['too_few_households']
    """
    ready = ready or service_events(cohort, records, persons, study)
    stays_of_households, services = ready.household_stays, ready.services
    stays = stays_of_households.stays
    departures = records[is_departure(records) & records["exit_reason"].notna()]
    departures = departures.merge(persons[["record_id", "person_id"]], on="record_id")
    departures_of_stays = beside_stays(
        departures[["person_id", "exit_reason", "exit_date_earliest", "exit_date_latest"]], stays_of_households
    )
    departed = stays["ended"].notna() & ~stays["died"]
    departures_of_stays = departures_of_stays[departed[departures_of_stays["stay"]].to_numpy()]
    # a dated departure is of the stay that had begun, and had not ended, by then
    outside_stay = (departures_of_stays["exit_date_latest"] < departures_of_stays["begins_earliest"]) | (
        departures_of_stays["exit_date_earliest"] > departures_of_stays["ended_by"] + pd.Timedelta(days=AROUND_DAYS)
    )
    departures_of_stays = departures_of_stays[~outside_stay]
    services = beside_stays(services[services["fault"].isna()], stays_of_households)
    services = services[
        (services["latest"] >= services["begins_earliest"]) & (services["latest"] <= services["ended_by"])
    ]
    frames = []
    chosen = first_stays(stays_of_households, study, groups)
    for reason in (r for r in EXIT_REASONS if r != "death"):
        left_for = stays.index.isin(departures_of_stays.loc[departures_of_stays["exit_reason"].eq(reason), "stay"])
        service = FOR_REASON.get(reason)
        helped = stays.index.isin(services.loc[services["service"].eq(service), "stay"])
        for group, in_group in chosen.items():
            in_subgroup = in_group & left_for
            n = int(in_subgroup.sum())
            row = pd.DataFrame(
                {
                    "group": [group],
                    "reason": reason,
                    "service": service,
                    "n_start": n,
                    "n_at_risk": n,
                    "persons": int(stays.loc[in_subgroup, "members"].sum()),
                }
            )
            if service is None:
                note = TOO_FEW if n < fewest(study) else NO_SERVICE
                frames.append(row.assign(note=note))
            else:
                frames.append(with_shares(row.assign(households=int((in_subgroup & helped).sum())), "households"))
    frames = [f.assign(measure=REASON, method="told_reasons") for f in frames]
    return finished(frames, ("reason", "service"), ("households", "persons"), least=fewest(study))


# ── follow-up ─────────────────────────────────────────────────────────────────────────────────────────────
def follow_up_coverage(
    cohort: pd.DataFrame,
    contacts: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
) -> pd.DataFrame:
    """
    Scheduled contacts that were due, and those held, by type of organisation: never by organisation.

    Parameters
    ----------
    cohort, contacts, records, persons : DataFrame
        The tables `cohort`, `contacts`, `records` and `persons`.
    study : Study
        Its schedule (follow_up_months), pathway, groups, support and disclosure.households are used.
    groups : iterable of str, optional
        As in `groups.members`.

    Returns
    -------
    DataFrame
        measure (`follow_up_coverage`; `follow_up_reached`: of those held), group, organisation_type (`all`;
        `region_smaller`, `region_larger`: of the organisation of the regions that first wrote of the person during the
        stay, larger from 50 households on; `metropole_only`: none did), horizon (the month of the schedule), estimate
        (share), se, lower, upper (95 %, clustered on households, log-log), n_start (households with a contact due, or
        held), n_at_risk (contacts due, or held), held (contacts held, or that reached the person), households,
        households_without (with any such contact; with any that was due and not held, or held in vain), method
        (`one_month_slack`), note (`too_few_organisations`: fewer than 3 of that type in the group have a
        contact due, or one of them has over 85 % of these, no number; `too_few_households`).

        A contact is due where the cut-off comes a month after it or later, and nobody knew by then that the person had
        left or died. It is held where an attempt, reached or not, lies within a month of it.

    Notes
    -----
    Contacts count in persons: each of them is to be called.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> from trajectories.tables import CONTACTS, conform
    >>> cohort, records, persons = example_tables()
    >>> called = conform(pd.DataFrame({"person_id": ["a"], "episode": 1, "month": 3.4, "kind": "present"}), CONTACTS)
    >>> from trajectories.analysis.services.example import one_household
    >>> one = one_household(follow_up_months=(3,))
    >>> table = follow_up_coverage(cohort, called, records, persons, study=one, groups=["05"])
    >>> table["note"].unique().tolist()
    ['too_few_organisations']
    """
    stays = cohort[cohort["excluded"].isna()]
    if study.pathway is not None:
        stays = stays[stays["pathway"].eq(study.pathway)]
    stays = stays.reset_index(drop=True)
    organisation, kind = _organisations(stays, records, persons)
    keys = ["person_id", "episode"]
    attempts = contacts[contacts["kind"].isin(ATTEMPTS)][[*keys, "month", "kind"]]
    gone = contacts[contacts["kind"].isin(["left", "news"])].groupby(keys)["month"].min()
    gone = gone.reindex(pd.MultiIndex.from_frame(stays[keys])).to_numpy(dtype=float)
    position = stays[keys].assign(stay=np.arange(len(stays)))
    attempts = attempts.merge(position, on=keys)
    died = set(
        persons.loc[
            persons["record_id"].isin(records.loc[records["exit_reason"].eq("death"), "record_id"]), "person_id"
        ]
    )
    death = stays["exit"].isna() & stays["person_id"].isin(died)
    frames, least = [], fewest(study)
    for month in study.follow_up_months:
        near = attempts[(attempts["month"] - month).abs() <= SLACK_MONTHS]
        was_tried = np.isin(np.arange(len(stays)), near["stay"])
        reached = np.isin(np.arange(len(stays)), near.loc[near["kind"].isin(["present", "left"]), "stay"])
        due = (stays["cutoff"].to_numpy() >= month + SLACK_MONTHS) & (~(gone < month) | was_tried)
        due &= ~(death & (stays["heard_until"] < month)).to_numpy() | was_tried
        for group, in_group in members(stays, study, groups).items():
            for name in ("all", *sorted(set(kind[in_group]))):
                rows = in_group & ((kind == name) | (name == "all"))
                # « all » of a region with one organisation is that organisation
                few = _is_a_name(organisation[rows & due])
                for measure, base, hit in ((COVERAGE, due, was_tried), ("follow_up_reached", due & was_tried, reached)):
                    at = rows & base
                    share = _clustered(hit[at], stays.loc[at, "household_id"])
                    frames.append(
                        share.assign(
                            measure=measure,
                            group=group,
                            organisation_type=name,
                            horizon=float(month),
                            note=TOO_FEW_ORGANISATIONS if few else None,
                            method="one_month_slack",
                        )
                    )
    return finished(
        frames, ("organisation_type",), ("held", "households", "households_without"), least=least, base="n_at_risk"
    )


def _is_a_name(organisation: pd.Series) -> bool:
    """Whether a total over these organisations would in effect disclose a single one."""
    shares = organisation.value_counts(normalize=True)
    return len(shares) < FEWEST_ORGANISATIONS or shares.iloc[0] > DOMINANT


def _organisations(stays: pd.DataFrame, records: pd.DataFrame, persons: pd.DataFrame) -> tuple[pd.Series, np.ndarray]:
    """The organisation that is to call each stay, and its type: the first of the regions to write of it."""
    of_region = ~records["organisation_zone"].eq(METROPOLE) & ~is_departure(records)
    columns = ["record_id", "organisation_id", "follow_up_date_latest", "service_date_latest"]
    rows = records.loc[of_region, columns]
    day = rows["follow_up_date_latest"].fillna(rows["service_date_latest"])
    rows = rows.assign(day=day)[["record_id", "organisation_id", "day"]].dropna(subset=["day"])
    rows = rows.merge(persons[["record_id", "person_id"]], on="record_id").rename(columns={"organisation_id": "by"})
    begun = stays[["person_id", "establishment_earliest", "establishment_latest", "upper"]].reset_index(names="stay")
    pairs = begun.merge(rows, on="person_id")
    ended = day_after(pairs["establishment_earliest"], pairs["upper"])
    early = pairs["day"] < pairs["establishment_earliest"] - pd.Timedelta(days=AROUND_DAYS)
    pairs = pairs[~early & ~(pairs["day"] > ended)].sort_values(["day", "record_id"], kind="stable")
    organisation_of_stay = pairs.drop_duplicates("stay").set_index("stay")["by"].reindex(stays.index)
    size = organisation_of_stay.map(stays["household_id"].groupby(organisation_of_stay).nunique())
    kind = np.select(
        [organisation_of_stay.isna(), size >= LARGER], ["metropole_only", "region_larger"], "region_smaller"
    )
    return first_known(organisation_of_stay, stays["organisation_id"]), kind


def _clustered(hit: np.ndarray, household: pd.Series) -> pd.DataFrame:
    """A share of contacts, households drawn whole (ratio of two sums; Cochran 1977, 6.5)."""
    by_stay = pd.DataFrame({"hit": hit.astype(float), "household": household.to_numpy()})
    by = by_stay.groupby("household")["hit"].agg(["sum", "size"])
    n, due = len(by), len(by_stay)
    share = by_stay["hit"].mean() if due else np.nan
    off = by["sum"] - share * by["size"]
    se = float(np.sqrt((off**2).sum() * n / (n - 1)) / due) if n > 1 else np.nan
    lower, upper = incidence_limits(np.array([share]), np.array([se])) if n > 1 else ([np.nan], [np.nan])
    return pd.DataFrame(
        {
            "estimate": [share],
            "se": se,
            "lower": lower,
            "upper": upper,
            "n_start": n,
            "n_at_risk": due,
            "held": int(hit.sum()),
            "households": int((by["sum"] > 0).sum()),
            "households_without": int((by["sum"] < by["size"]).sum()),
        }
    )
