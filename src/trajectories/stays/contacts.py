"""What is known of the course of each stay: scheduled contacts and their outcome, services in person, late news.

The observation model reads the table `contacts` beside `cohort` (observation-model.md); what does not enter is kept
in `set_aside` with a reason. The kinds:

- a **scheduled contact** is one whose failure would have been written: a row with a `statut_suivi`. A service
  `post_settlement_follow_up` without one is a service;
- a **service** is given by an organisation that is not of the metropole to someone who lives in the stay's territory;
- **news** is a departure row, or the first row of an organisation that places the person elsewhere (a service, a
  contact, an establishment). It counts from when it was filed, not from the departure: the deposit date, else the
  quarter's end, and never before the departure itself. News in its last deposit counts at that quarter's end.

Once a departure is known, by a « parti » or by news, the first report counts and later news does not enter; contacts
made after it do, since they show whether it was true (`until_report` leaves them out). Months count from the middle of
the establishment to the likeliest day, whatever the outcome: the middle of the row's possible days, of those in its
quarter if any are. A date of departure counts from both ends, so that its interval covers the true month.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..months import months_between
from ..tables import (
    CONTACTS,
    EXITS,
    LEFT,
    METROPOLE,
    NOT_REACHED,
    OUTSIDE_QUEBEC,
    PRESENT,
    REGION,
    SET_ASIDE,
    UNKNOWN,
    conform,
)
from .observations import READ, contact_days, filed, is_departure, quarter_ends, settled_at_residence, stated

# How far from its due month a scheduled contact may be held and still be that contact.
SLACK_MONTHS = 1.0
ATTEMPTS = ("present", "left", "failed")
_KIND_OF_STATUS = {PRESENT: "present", LEFT: "left", NOT_REACHED: "failed"}
_EXIT_TO = {METROPOLE: "metropole", OUTSIDE_QUEBEC: "outside_quebec", REGION: "other_region", UNKNOWN: EXITS[-1]}
_AWAY = (METROPOLE, OUTSIDE_QUEBEC)
_OF_STAY = (
    "stay", "episode", "region", "exit", "begun", "establishment_latest", "middle", "end_earliest", "end_latest",
    "confirmed", "heard_day", "heard_until", "away_until",
)  # fmt: skip
_UNTIL = ("heard_day", "heard_until")
_EVENT = (
    "record_id", "person_id", "organisation_id", "departs", "stay", "kind", "day", "month", "cause", "left_earliest",
    "left_latest", "reason",
)  # fmt: skip


def last_deposits(records: pd.DataFrame) -> pd.Series:
    """
    The end of the last quarter that each organisation deposited, if it deposits no more.

    NaT for an organisation whose last quarter is the last one that anybody deposited (it may go on), and for one that
    names no quarter. Needs the records of everyone, not those of some persons.
    """
    last = quarter_ends(records).groupby(records["organisation_id"].astype(object)).max()
    return last.where(last < last.max())


def rows_of_persons(
    records: pd.DataFrame,
    persons: pd.DataFrame,
    observations: pd.DataFrame,
    cutoff: pd.Timestamp,
    deposits: pd.Series,
) -> pd.DataFrame:
    """
    The records up to the cut-off with their person, and what each row says of place and time.

    Besides the columns read: `zone` and `region` (of an establishment row the destination's; of « présent » where the
    observations put it; of « parti », « non joint » and departures a residence en région, since any other address is
    outdated on such a row; else the residence's), `away` (a place outside the territory), `departs`, `filed_day` (when
    it was filed), `noted` (its own day, else the first of its quarter), `first` and `last` (the days it may be of),
    `likely` (the middle of those days, of those in the row's quarter if some are), `when` (the day by which its stay
    had begun) and `by` (the same, for a « parti » the call).
    """
    rows = settled_at_residence(records[list(READ)].merge(persons[["record_id", "person_id"]], on="record_id"))
    status, departs = rows["follow_up_status"], is_departure(rows)
    settles = rows["establishment_date_latest"].notna() & stated(rows, "destination") & status.isna()
    zone = rows["residence_zone"].where(~settles, rows["destination_zone"])
    region = rows["residence_region"].where(~settles, rows["destination_region"])
    older = (status.isin([LEFT, NOT_REACHED]) | departs) & ~zone.eq(REGION)
    zone, region = zone.where(~older, None), region.where(~older, None)
    present = observations[observations["kind"].eq("follow_up")].drop_duplicates("record_id").set_index("record_id")
    observed_place = present.reindex(rows["record_id"])[["zone", "region"]].set_index(rows.index)
    zone = zone.where(~status.eq(PRESENT), observed_place["zone"])
    region = region.where(~status.eq(PRESENT), observed_place["region"])
    filed_day = filed(rows, cutoff)
    closed = rows["organisation_id"].map(deposits).astype("datetime64[ns]")
    filed_day = filed_day.where(~(closed < filed_day), closed)
    quarter = quarter_ends(rows)
    noted, last = contact_days(rows, filed_day)
    noted = noted.fillna(quarter.dt.to_period("Q").dt.start_time)
    last = last.fillna(quarter).fillna(filed_day).clip(upper=cutoff)
    exit_day = rows["exit_date_latest"].where(~(rows["exit_date_earliest"] > filed_day)).clip(upper=filed_day)
    when = last.where(~departs, exit_day.fillna(last)).where(~settles, rows["establishment_date_latest"])
    first = noted.fillna(last)
    begins = quarter.dt.to_period("Q").dt.start_time
    within = (begins <= last) & (quarter >= first)
    low, high = first.where(~(within & (begins > first)), begins), last.where(~(within & (quarter < last)), quarter)
    rows = rows.assign(
        zone=zone,
        region=region.where(zone.isin([REGION, UNKNOWN])),
        away=zone.isin(_AWAY),
        departs=departs,
        told=filed_day,
        noted=noted,
        first=first,
        last=last,
        likely=low + (high - low) / 2,
        when=when,
        by=when.where(~status.eq(LEFT), last),
    )
    after = (rows["first"] > cutoff) | (status.isna() & (rows["exit_date_earliest"] > cutoff))
    return rows[~after].reset_index(drop=True)


def of_stay(stays: pd.DataFrame, rows: pd.DataFrame, scope: str) -> pd.Series:
    """
    The position of the stay that each row is about, NaN where there is none.

    It is the last one begun by then, in the region that the row names: someone who left for another region has begun
    another stay when the first region's organisation calls. A dated departure is of the stay that ended then, though
    the next one began on the same day.
    """
    about = rows[["person_id", "when", "by", "region", "departs", "exit_date_earliest", "exit_date_latest"]]
    columns = ["begun", "region", "exit", "end_earliest", "end_latest"]
    candidates = stays[["person_id", *columns]].rename(columns={"region": "of_region"}).reset_index(names="stay")
    pairs = about.reset_index(names="row").merge(candidates, on="person_id")
    named = pairs["region"].isna() | pairs["region"].eq(pairs["of_region"]) | (scope == "any_region")
    pairs = pairs[named & (pairs["begun"] <= pairs["by"])]
    ended_then = pairs["departs"] & pairs["exit"].notna()
    ended_then &= pairs["exit_date_earliest"] <= pairs["end_latest"]
    ended_then &= pairs["exit_date_latest"] >= pairs["end_earliest"]
    # a call that found the person gone is about the last stay begun, even if it dates the departure before any stay
    in_time = pairs["begun"] <= pairs["when"]
    pairs = pairs.assign(ended_then=ended_then, in_time=in_time)
    pairs = pairs.sort_values(["row", "ended_then", "in_time", "begun", "stay"])
    return pairs.drop_duplicates("row", keep="last").set_index("row")["stay"].reindex(rows.index)


def build_contacts(
    stays: pd.DataFrame, rows: pd.DataFrame, observations: pd.DataFrame, scope: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The tables `contacts` (what enters) and `set_aside` (what does not, and why), in order of stay and month.

    Parameters
    ----------
    stays : DataFrame
        Stays as cohort.py times them: with region, exit, establishment and end intervals, `begun`, `confirmed` (the
        last day the person was there), `heard_day` and `heard_until`.
    rows : DataFrame
        As `rows_of_persons` returns them.
    observations : DataFrame
        The table `observations`, with `told`, `organisation_zone` and `aside`.
    scope : {"region", "any_region"}
        Anywhere en région, a move to another region is no departure: « parti » for there is a presence.

    Notes
    -----
    Reasons: `heard_before` (news after the first news), `repeats_contact` (what a contact of the same organisation
    said: a departure row after its « parti », the same outcome on the same day), `after_departure` (anything after
    the departure was known), `contradicts` (a presence from a « parti », or after the day on which the departure is
    dated: the explicit report is kept), `after_heard_until` (after the last day on which the stay could be heard of),
    `death` (it censors, and is no news), `stays_inside` (a departure to a place of the same territory), `elsewhere`
    (about a place outside it), `no_stay` (no stay of that place had begun by then). Every row with a status, and every
    departure row, of a person with a stay is in one of the two tables, unless it is dated after the cut-off.
    """
    elsewhere = _seen_elsewhere(stays, rows, observations)
    reports = _reports(stays, rows[~(rows["away"] & rows["record_id"].isin(elsewhere["record_id"]))], scope)
    # a presence in an area that may be elsewhere, after the stay had ended, is news and not a presence in the stay
    in_reports, in_elsewhere = (
        pd.MultiIndex.from_frame(frame[["record_id", "stay"]]) for frame in (reports, elsewhere)
    )
    reports = reports[~in_reports.isin(in_elsewhere)]
    parts = [elsewhere, reports, _services(stays, observations, scope)]
    events = pd.concat([part for part in parts if len(part)] or [elsewhere], ignore_index=True)
    events = _with_what_became_known(_with_reasons(events, stays))
    # events until the last day on which a stay could be heard of count in its last month
    events["month"] = events["month"].where(events["reason"].notna(), events["month"].clip(upper=events["heard_until"]))
    order = ["person_id", "episode", "month", "kind", "organisation_id", "record_id"]
    events = events.sort_values(order, ignore_index=True)
    enters = events["reason"].isna()
    return (
        conform(events[enters], CONTACTS)[list(CONTACTS.columns)].reset_index(drop=True),
        conform(events[~enters], SET_ASIDE)[list(SET_ASIDE.columns)].reset_index(drop=True),
    )


def _beside(rows: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """The columns of each row's stay, in the order of the rows; missing where there is none."""
    first = stays["begun"]
    middle = first + (stays["establishment_latest"] - first) / 2
    by_stay = stays.assign(stay=np.arange(len(stays)), middle=middle, away_until=_back_by(stays))[list(_OF_STAY)]
    return by_stay.reindex(rows["stay"].to_numpy()).set_axis(rows.index)


def _back_by(stays: pd.DataFrame) -> pd.Series:
    """When each person's next stay began, of those who went to another region the next but one."""
    begun = stays.groupby("person_id")["begun"]
    return begun.shift(-1).where(~stays["exit"].eq("other_region"), begun.shift(-2))


# ── the events ────────────────────────────────────────────────────────────────────────────────────────────
def _reports(stays: pd.DataFrame, rows: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Rows with a follow-up status and departure rows, of persons with a stay."""
    rows = _in_their_files(rows, stays)
    rows = rows[rows["follow_up_status"].notna() | rows["departs"]]
    rows = rows[rows["person_id"].isin(stays["person_id"])].reset_index(drop=True)
    rows["stay"] = of_stay(stays, rows, scope)
    stay = _beside(rows, stays)
    status, exit_zone = rows["follow_up_status"], rows["exit_destination_zone"]
    inside = exit_zone.eq(REGION) & (rows["exit_destination_region"].eq(stay["region"]) | (scope == "any_region"))
    # scope any_region: who was present later had left for another region, which is no departure
    inside |= (scope == "any_region") & ~exit_zone.isin(_AWAY) & (stay["confirmed"] > rows["last"])
    died = rows["departs"] & rows["exit_reason"].eq("death")
    kind = status.map(_KIND_OF_STATUS).fillna("news").where(~(status.eq(LEFT) & inside & ~died), "present")
    heard = rows["told"].where(~(rows["exit_date_earliest"] > rows["told"]), rows["exit_date_earliest"])
    # the likeliest day for every outcome: a « présent » at its first day and a failure at the middle would look like a
    # failure rate that rises
    day = rows["likely"].where(~kind.eq("news"), heard)
    reason = np.select(
        [rows["away"], rows["stay"].isna(), died, kind.eq("news") & inside],
        ["elsewhere", "no_stay", "death", "stays_inside"],
        "",
    )
    tells = kind.isin(["left", "news"])
    # a « parti » dated after the call that found it, or before the stay, is not dated
    dated = tells & (rows["exit_date_earliest"] <= day) & (rows["exit_date_latest"] >= stay["begun"])
    cause = exit_zone.map(_EXIT_TO).fillna(EXITS[-1])
    rows["stay"] = rows["stay"].where(~rows["away"])
    return _events(
        rows,
        stays,
        kind,
        day,
        cause.where(tells),
        pd.Series(np.where(reason == "", None, reason), rows.index),  # type: ignore[call-overload]
        rows["exit_date_earliest"].where(dated),
        rows["exit_date_latest"].where(dated).clip(upper=day),
    )


def _in_their_files(rows: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """A failed attempt without an address is about the region in which the organisation last knew the person."""
    rows = rows.sort_values(["person_id", "organisation_id", "last", "record_id"], ignore_index=True)
    last_region = rows.groupby(["person_id", "organisation_id"])["region"].ffill()
    lived = pd.MultiIndex.from_frame(stays[["person_id", "region"]])
    blank = rows["follow_up_status"].eq(NOT_REACHED) & rows["residence"].isna()
    blank &= pd.MultiIndex.from_arrays([rows["person_id"], last_region]).isin(lived)
    return rows.assign(region=rows["region"].where(~blank, last_region))


def _services(stays: pd.DataFrame, observations: pd.DataFrame, scope: str) -> pd.DataFrame:
    services = observations[observations["kind"].eq("service") & observations["zone"].eq(REGION)]
    services = services[services["aside"].isna()]
    services = services[~services["organisation_zone"].eq(METROPOLE)].reset_index(drop=True)
    services = services.assign(
        when=services["latest"],
        by=services["latest"],
        departs=False,
        exit_date_earliest=pd.NaT,
        exit_date_latest=pd.NaT,
    )
    services["stay"] = of_stay(stays, services, scope)
    services = services[services["stay"].notna()]
    return _events(services, stays, "service", services["earliest"])


def _seen_elsewhere(stays: pd.DataFrame, rows: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """The first service, contact or establishment elsewhere that each organisation filed of a stay that had ended."""
    by_stay = _beside(stays.assign(stay=np.arange(len(stays))), stays).assign(person_id=stays["person_id"])
    ended = by_stay[by_stay["exit"].notna()].rename(columns={"region": "of_region"})
    presences = observations[observations["kind"].isin(["service", "follow_up", "establishment"])]
    presences = presences[presences["aside"].isna()]
    reports = rows[["record_id", "told", "departs", "follow_up_status", "away"]]
    presences = presences.drop(columns="told").merge(reports, on="record_id")
    pairs = ended.merge(presences, on="person_id")
    elsewhere = ~(pairs["region"].eq(pairs["of_region"]) & pairs["zone"].isin([REGION, UNKNOWN]))
    nowhere = pairs["zone"].eq(UNKNOWN) & pairs["region"].isna()
    then = (pairs["latest"] >= pairs["end_earliest"]) & ~(pairs["latest"] >= pairs["away_until"])
    # an old address that is still printed is no news of a return
    printed = pairs["kind"].eq("service") & pairs["zone"].eq(METROPOLE) & ~(pairs["latest"] >= pairs["end_latest"])
    pairs = pairs[elsewhere & ~nowhere & then & ~printed & pairs["zone"].map(_EXIT_TO).eq(pairs["exit"])]
    heard = pairs["told"].where(~(pairs["earliest"] > pairs["told"]), pairs["earliest"])
    pairs = pairs.assign(heard=heard).sort_values(["heard", "record_id"])
    # a contact elsewhere can be about this stay only: each is kept
    once = ~pairs.duplicated(["stay", "organisation_id"]) | (pairs["follow_up_status"].notna() & pairs["away"])
    first = pairs[once].drop_duplicates(["stay", "record_id"]).reset_index(drop=True)
    return _events(first, stays, "news", first["heard"], first["exit"])


def _events(
    rows: pd.DataFrame,
    stays: pd.DataFrame,
    kind: str | np.ndarray,
    day: pd.Series,
    cause: pd.Series | None = None,
    reason: pd.Series | None = None,
    left_earliest: pd.Series = pd.NaT,
    left_latest: pd.Series = pd.NaT,
) -> pd.DataFrame:
    stay = _beside(rows, stays)
    events = rows[["record_id", "person_id", "organisation_id", "departs", "stay"]].assign(kind=kind, day=day)
    month = np.maximum(months_between(stay["middle"], day), 0)
    events = events.assign(
        month=month, cause=cause, reason=reason, left_earliest=left_earliest, left_latest=left_latest
    )
    dates = dict.fromkeys(["day", "left_earliest", "left_latest"], "datetime64[ns]")
    return events.astype({**dates, "stay": float, "cause": object, "reason": object})[list(_EVENT)]


def _with_reasons(events: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """The events in order of stay and day, each with the reason for which it is set aside."""
    # of two events on one day, the more precise one comes first
    undated, silent = events["left_latest"].isna(), events["cause"].eq(EXITS[-1])
    order = ["stay", "day", "kind", "undated", "silent", "organisation_id", "record_id"]
    events = events.assign(undated=undated, silent=silent).sort_values(order, ignore_index=True)
    events = events.join(_beside(events, stays)[["episode", "exit", "begun", "establishment_latest", *_UNTIL]])
    kind, day = events["kind"], events["day"]
    is_news, is_left, is_present = kind.eq("news"), kind.eq("left"), kind.eq("present")

    def aside(chosen: pd.Series, reason: str) -> None:
        events["reason"] = events["reason"].where(~chosen | events["reason"].notna(), reason)

    def still(chosen: pd.Series) -> pd.Series:
        return chosen & events["reason"].isna()

    def first_day(chosen: pd.Series, *keys: str) -> pd.Series:
        return day.where(still(chosen)).groupby([events[key] for key in ("stay", *keys)]).transform("min")

    def first(chosen: pd.Series, *keys: str) -> pd.Series:
        return chosen & ~events[chosen].duplicated(["stay", *keys]).reindex(events.index, fill_value=False)

    aside(day > events["heard_day"], "after_heard_until")
    contacts = still(~is_news)
    aside(contacts & ~first(contacts, "day", "kind", "organisation_id"), "repeats_contact")
    aside(is_news & events["departs"] & (first_day(is_left, "organisation_id") <= day), "repeats_contact")
    by_contact, by_news = first_day(is_left), first_day(is_news)
    heard = still(is_news) & ~(by_contact < by_news)
    aside(heard & ~first(heard), "heard_before")
    # on the same day both count: the news was filed before the contact was known
    reached = still(is_left) & ~(by_news < by_contact)
    after_report = (day > by_contact) | (day > by_news)
    month = np.fmin(events["month"], events["heard_until"])
    reported = month.where(still(is_news | is_left)).groupby(events["stay"]).transform("min")
    later = still(kind.isin(ATTEMPTS)) & after_report & (month > reported)
    aside((is_news & ~heard) | (is_left & ~later & ~first(reached)), "after_departure")
    is_report = still(is_news | is_left) & ~later
    gone = events["left_latest"].where(is_report).groupby(events["stay"]).transform("min")
    aside(is_present & ~later & ((day >= by_contact) | (day > gone)), "contradicts")
    aside(after_report & ~later, "after_departure")
    aside(kind.eq("service") & (day > gone), "contradicts")
    return events.assign(later=later)


def _with_what_became_known(events: pd.DataFrame) -> pd.DataFrame:
    """
    The first report of each departure, completed by the destination and date that later ones give.

    A later date is used if it lies before the first report and after the last presence.
    """
    is_report = events["kind"].isin(["left", "news"])
    cause = events["cause"].where(~(is_report & events["silent"] & events["exit"].notna()), events["exit"])
    speaks = is_report & events["reason"].isna() & ~events["later"]
    presence = events["kind"].eq("present") & events["reason"].isna() & ~events["later"]
    first_report, presence = (
        events["day"].where(chosen).groupby(events["stay"]).transform(how)
        for chosen, how in ((speaks, "min"), (presence, "max"))
    )
    adds = is_report & (speaks | events["later"])
    adds |= events["reason"].isin(["heard_before", "repeats_contact", "after_departure"])
    adds &= (events["left_earliest"] <= first_report) & ~(events["left_latest"] < presence)
    dated = events[is_report & adds].drop_duplicates("stay").set_index("stay")[["left_earliest", "left_latest"]]
    takes = speaks & events["left_latest"].isna()
    low, high = (events[name].where(~takes, events["stay"].map(dated[name])).astype("datetime64[ns]") for name in dated)
    high = high.where(~(high > events["day"]), events["day"])
    return events.assign(
        cause=cause,
        departure_earliest=np.maximum(months_between(events["establishment_latest"], low), 0),
        departure_latest=np.maximum(months_between(events["begun"], high), 0),
    )


def until_report(contacts: pd.DataFrame, keys: Sequence[str] = ("person_id", "episode")) -> pd.DataFrame:
    """
    The contacts without those made after a departure had been reported.

    Parameters
    ----------
    contacts : DataFrame
        month, kind, and the keys.
    keys : sequence of str
        Of a stay.

    Examples
    --------
    >>> contacts = pd.DataFrame({"person_id": "a", "episode": 1, "month": [3.0, 5.0, 6.0], "kind": ["present", "news",
    ...     "failed"]})
    >>> until_report(contacts)["kind"].tolist()
    ['present', 'news']
    """
    reports = contacts[contacts["kind"].isin(["left", "news"])]
    first_report = (
        contacts[[*keys]].merge(reports.groupby([*keys], as_index=False)["month"].min(), how="left")["month"].to_numpy()
    )
    return contacts[~(contacts["kind"].isin(ATTEMPTS).to_numpy() & (contacts["month"].to_numpy() > first_report))]


def lost_to_follow_up(
    stays: pd.DataFrame, attempts: pd.DataFrame, follow_up_months: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Who was lost, how, and since which month (design.md, rule 4).

    Parameters
    ----------
    stays : DataFrame
        Rows of `cohort` with `outcome`: person_id, episode, exit, lower and cutoff are read as well.
    attempts : DataFrame
        Scheduled contacts of `contacts` and of `set_aside` (also attempts): person_id, episode, kind and month.
    follow_up_months : tuple of int
        The schedule.

    Returns
    -------
    lost : ndarray of object
        `contact` where an attempt failed after the last confirmed presence, `silent` where a contact was due by the
        schedule and nobody tried, else None.
    month : ndarray of float
        The month of the first such attempt or missed date; NaN where nobody is lost.
    """
    keys = ["person_id", "episode"]
    attempts = attempts[attempts["kind"].isin(ATTEMPTS)]
    open_stay = stays["exit"].isna() & ~stays["outcome"].eq("deceased")
    failed = attempts[attempts["kind"].eq("failed")].merge(stays[[*keys, "lower"]], on=keys)
    failed = failed[failed["month"] > failed["lower"]].groupby(keys)["month"].min()
    failed_month = failed.reindex(pd.MultiIndex.from_frame(stays[keys])).to_numpy(dtype=float)
    tried = attempts.groupby(keys)["month"].max()
    last = tried.reindex(pd.MultiIndex.from_frame(stays[keys])).to_numpy(dtype=float)
    last_known = np.fmax(last, stays["lower"].to_numpy())
    due = np.asarray(follow_up_months, dtype=float)
    missed = (due > last_known[:, None] + SLACK_MONTHS) & (due + SLACK_MONTHS <= stays["cutoff"].to_numpy()[:, None])
    missed_month = np.where(missed.any(axis=1), due[missed.argmax(axis=1)], np.nan)
    by_contact = open_stay.to_numpy() & ~np.isnan(failed_month)
    silent = open_stay.to_numpy() & ~by_contact & ~np.isnan(missed_month)
    lost = np.select([by_contact, silent], ["contact", "silent"], "")
    return np.where(lost == "", None, lost), np.select([by_contact, silent], [failed_month, missed_month], np.nan)  # type: ignore[call-overload]
