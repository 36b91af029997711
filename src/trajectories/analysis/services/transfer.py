"""From an organisation of the metropole to one of the region: whether a household that was prepared there arrives here.

A transfer is confirmed by the first row in which an organisation of the regions met a member (a service, a
registration, a « présent »; not a failed call, nor a departure heard of), about this region or about no known place.

A month is too coarse for 30 and 90 days, so the estimator counts days here: from the latest day of the establishment
(known to 31 days, or the household is left out) to the latest day of that row; a row before it is at 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ...months import add_months
from ...study import Study
from ...tables import METROPOLE, OUTSIDE_QUEBEC, PROVINCE, REGION, UNKNOWN
from .service_events import (
    HouseholdStays,
    Served,
    beside_stays,
    dated_rows,
    fewest,
    finished,
    service_events,
    with_shares,
)
from .use import first_stays, incidence_on, number_in

HORIZON_DAYS = (30, 90)
ALL_PERIODS = "all"
TRANSFER, NEVER, FUNNEL = "transfer", "transfer_never", "process_funnel"
# Whose establishment an organisation of the metropole told of too: known whether or not anybody arrived (main).
TOLD, EVERYONE = METHODS = ("told_in_metropole", "all_known")
MET, PREPARED, SETTLED, ARRIVED, THERE, LEFT, LOST, TOO_RECENT = STEPS = (
    "met_in_metropole",
    "prepared",
    "settled",
    "met_in_region",
    "there_at_12_months",
    "left_by_12_months",
    "lost_by_12_months",
    "settled_too_recently",
)
AFTER_MONTHS = 12
NOT_BY_REGION = "region_not_known_yet"


def transfer(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Incidence of contact with an organisation of the region within 30 and 90 days, and those it never came to.

    Of households whose last service before the establishment was given by an organisation of the metropole.

    Parameters
    ----------
    cohort, records, persons, study, groups, ready
        As for `reach`.

    Returns
    -------
    DataFrame
        measure (`transfer`; `transfer_never`: no contact by the cut-off and no known departure), group, period (`all`,
        or that of the establishment), horizon (days: 30, 90; missing of `transfer_never`), estimate (share of the
        households), se, lower, upper (95 %), n_start (households; of `transfer_never`, those settled at least 90 days
        before the cut-off), n_at_risk (still without contact, there and followed on that day), n_followed (settled so
        many days before the cut-off), households (with contact by then; of `transfer_never`, without any), left_first
        (left by then without contact), left_out (households whose establishment is not known to 31 days), method, note
        (`too_few_followed`, `too_few_households`).

        method `told_in_metropole` is the main one: households whose establishment an organisation of the metropole told
        of as well. `all_known` takes everybody, so also those known through the very contact that is asked after: it
        overstates, and understates those who never arrived. A known departure competes, on the middle of the
        days on which it may have been; a death censors, and the cut-off (not the last news: see `household_stays`).

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, records, persons = example_tables()
    >>> from trajectories.analysis.services.example import one_household
    >>> one = one_household()
    >>> table = transfer(cohort, records, persons, study=one, groups=["05"])
    >>> told = table.query("method == 'told_in_metropole' and period == 'all'")
    >>> told[["measure", "horizon", "estimate"]].values.tolist()
    [['transfer', 30.0, 0.5], ['transfer', 90.0, 0.5], ['transfer_never', nan, 0.5]]
    """
    ready = ready or service_events(cohort, records, persons, study)
    stays_of_households = ready.household_stays
    stays = stays_of_households.stays
    sent, reported = prepared_in_metropole(ready, records, persons)
    time, cause = days_to_contact(stays_of_households, first_contact(stays_of_households, records, persons))
    observed_days = (stays_of_households.cutoff - stays["begins"]).dt.days.to_numpy(dtype=float)
    settled_early = observed_days >= max(HORIZON_DAYS)
    days, least = np.array(HORIZON_DAYS, dtype=float), fewest(study)
    periods = stays["period"].fillna(UNKNOWN).astype(str).to_numpy()
    precise = stays["precise"].to_numpy()
    frames = []
    for group, chosen in first_stays(stays_of_households, study, groups).items():
        for period in (ALL_PERIODS, *sorted(set(periods[chosen]))):
            for method, counted in ((TOLD, reported), (EVERYONE, True)):
                at = chosen & sent & counted & ((periods == period) | (period == ALL_PERIODS))
                shape = {"group": group, "period": period, "method": method, "left_out": int((at & ~precise).sum())}
                at = at & precise
                t, c = time[at], cause[at]
                curve = incidence_on(t, c, observed_days[at], days, least)
                counts = {"households": number_in(t, c == 1, days), "left_first": number_in(t, c == 2, days)}
                frames.append(curve.assign(measure=TRANSFER, n_start=int(at.sum()), **counts, **shape))
                early = at & settled_early
                never = int((early & (cause == 0)).sum())
                n = dict.fromkeys(("n_start", "n_at_risk", "n_followed"), int(early.sum()))
                other_outcomes = pd.DataFrame(
                    {"households": [never], **n, "left_first": int((early & (cause == 2)).sum())}
                )
                frames.append(with_shares(other_outcomes, "households").assign(measure=NEVER, **shape))
    return finished(frames, ("period",), ("n_followed", "households", "left_first", "left_out"), least=least)


def prepared_in_metropole(ready: Served, records: pd.DataFrame, persons: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Stays whose last service before was given in the metropole; those that its organisations told of, too."""
    stays_of_households, services = ready.household_stays, ready.services
    before = beside_stays(services[services["fault"].isna()], stays_of_households)
    # what the region gives on the day of the establishment is the arrival, not what came before it
    limit = before["begins"].where(before["metropole"], before["begins_earliest"] - pd.Timedelta(days=1))
    before = before[before["latest"] <= limit]
    # of two on the last day, one in the metropole is enough
    last = before.sort_values(["latest", "metropole"], kind="stable").groupby("stay")["metropole"].last()
    rows = records[records["establishment_date_latest"].notna()]
    settlings = beside_stays(dated_rows(rows, persons, "establishment_date_latest"), stays_of_households)
    settlings = settlings[
        settlings["metropole"] & (settlings["region"].eq(UNKNOWN) | settlings["region"].eq(settlings["region_of_stay"]))
    ]
    near = (settlings["establishment_date_latest"] - settlings["begins"]).abs() <= pd.Timedelta(days=31)
    index = stays_of_households.stays.index
    return (
        last.reindex(index, fill_value=False).to_numpy(dtype=bool),
        index.isin(settlings.loc[near, "stay"]),
    )


def first_contact(stays_of_households: HouseholdStays, records: pd.DataFrame, persons: pd.DataFrame) -> pd.Series:
    """The latest day of the first row in which an organisation of the regions met a member of each stay."""
    rows = dated_rows(records, persons, "organisation_zone")
    rows = beside_stays(rows[rows["organisation_zone"].eq(REGION)], stays_of_households)
    # an old address in the metropole may be what the row has: that is no other region
    other_region = ~rows["region"].eq(UNKNOWN) & ~rows["region"].eq(rows["region_of_stay"])
    elsewhere = (other_region & rows["zone"].eq(REGION)) | rows["zone"].eq(OUTSIDE_QUEBEC)
    rows = rows[~elsewhere & ~(rows["earliest"] > rows["ended_by"])]
    return rows.groupby("stay")["latest"].min().reindex(stays_of_households.stays.index).astype("datetime64[ns]")


def days_to_contact(stays_of_households: HouseholdStays, contact: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Days to the contact (1), the departure (2), or the death or cut-off (0), whichever comes first."""
    stays = stays_of_households.stays
    departed = stays["ended"].where(~stays["died"])
    until = stays["ended"].where(stays["died"]).fillna(stays_of_households.cutoff)
    met = contact.notna() & ~(contact > until) & ~(contact > departed)
    gone = ~met & departed.notna() & ~(departed > until)
    day = contact.where(met, departed.where(gone, until))
    days = np.maximum((day - stays["begins"]).dt.days.to_numpy(dtype=float), 0.0)
    return days, np.select([met, gone], [1, 2], 0)


# ── the funnel ────────────────────────────────────────────────────────────────────────────────────────────
def process_funnel(
    cohort: pd.DataFrame,
    records: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    study: Study,
    groups: Iterable[str] | None = None,
    ready: Served | None = None,
) -> pd.DataFrame:
    """
    Households and persons from the first contact in the metropole to the twelfth month en région.

    Parameters
    ----------
    cohort, records, persons, study, groups, ready
        As in `transfer`.

    Returns
    -------
    DataFrame
        measure (`process_funnel`), group, step, base (the step whose households n_start are), horizon (12 of the last
        four steps), estimate (share of the base), se, lower, upper (95 %, Wilson), n_start and n_at_risk (households of
        the base; of the first step, its own), households, persons (at the step: those met or prepared themselves; from
        `settled` on, the members that settled), method (`crude`: a share of all, not followed for equally long;
        `by_month_12`), note.

        Steps: `met_in_metropole` (a service given there to somebody not settled en région before), `prepared` (there,
        before the establishment: an exploratory visit, a town en région named as destination, or a date of
        departure), `settled` (of those met; prepared or not), `met_in_region` (of those settled: any contact as in
        `transfer`, whenever), and four that part those settled: `there_at_12_months` (known to be there at the
        anniversary or later), `left_by_12_months` (known to have left by then), `lost_by_12_months` (neither:
        not taken for there), `settled_too_recently` (the cut-off comes before the anniversary, and nobody is known to
        have left).

        A stay whose start is not known well enough for the cohort (`excluded`) is none that they settled in.

        Where somebody will settle is not known before: the steps `met_in_metropole` and `prepared` have numbers for the
        province only, as has the share of `settled`.

    Examples
    --------
    >>> from trajectories.analysis.services.example import example_tables
    >>> cohort, records, persons = example_tables()
    >>> from trajectories.analysis.services.example import one_household
    >>> one = one_household()
    >>> table = process_funnel(cohort, records, persons, study=one, groups=["province"])
    >>> table["households"].tolist()
    [2, 2, 2, 1, 0, 0, 2, 0]
    """
    ready = ready or service_events(cohort, records, persons, study)
    stays_of_households = ready.household_stays
    met, prepared = _met(ready, records, persons)
    stays = stays_of_households.stays.assign(_met=stays_of_households.stays["household_id"].isin(met["household_id"]))
    anniversary = pd.Series(add_months(stays["begins"], AFTER_MONTHS).astype("datetime64[ns]"), index=stays.index)
    departed = stays["ended"].notna() & ~stays["died"] & (stays["ended"] <= anniversary)
    present = ~departed & (stays["confirmed"] >= anniversary)
    recent = ~departed & ~present & (stays_of_households.cutoff < anniversary)
    flags = {
        SETTLED: stays["_met"],
        ARRIVED: first_contact(stays_of_households, records, persons).notna(),
        THERE: present,
        LEFT: departed,
        LOST: ~(departed | present | recent),
        TOO_RECENT: recent,
    }
    first = {
        MET: (met["household_id"].nunique(), met["person_id"].nunique()),
        PREPARED: (prepared["household_id"].nunique(), prepared["person_id"].nunique()),
    }
    frames = []
    for group, chosen in first_stays(stays_of_households, study, groups).items():
        base = chosen & stays["_met"].to_numpy()
        counts = first if group == PROVINCE else dict.fromkeys(first, (np.nan, np.nan))
        stages = {step: base & flag.to_numpy() for step, flag in flags.items()}
        counts = {**counts, **{s: (rows.sum(), stays.loc[rows, "members"].sum()) for s, rows in stages.items()}}
        n = {SETTLED: counts[MET][0], MET: counts[MET][0], PREPARED: counts[MET][0]}
        frame = pd.DataFrame(
            {
                "step": STEPS,
                "base": [MET, MET, MET, *[SETTLED] * 5],
                "group": group,
                "horizon": [np.nan] * 4 + [float(AFTER_MONTHS)] * 4,
                "method": ["crude"] * 4 + ["by_month_12"] * 4,
                "households": [float(counts[s][0]) for s in STEPS],
                "persons": [float(counts[s][1]) for s in STEPS],
                "n_start": [float(n.get(s, base.sum())) for s in STEPS],
            }
        )
        frame = with_shares(frame.assign(n_at_risk=frame["n_start"]), "households")
        unknown = frame["n_start"].isna()
        frames.append(frame.assign(measure=FUNNEL, note=np.where(unknown, NOT_BY_REGION, None)))  # type: ignore[call-overload]
    return finished(frames, ("step", "base"), ("households", "persons"), least=fewest(study))


def _met(ready: Served, records: pd.DataFrame, persons: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Persons met in the metropole before their household settled, and those of them who were prepared (ids)."""
    stays_of_households, services = ready.household_stays, ready.services
    begun = stays_of_households.stays.groupby("household_id")["begins"].min()
    keys = ["household_id", "person_id"]
    in_metropole = records["organisation_zone"].eq(METROPOLE)
    zone = records.loc[in_metropole, ["record_id", "residence_zone"]].set_index("record_id")["residence_zone"]
    met = services[services["metropole"] & services["fault"].isna()]
    met = met[~met["record_id"].map(zone).isin([REGION, OUTSIDE_QUEBEC])]
    met = met[~(met["latest"] > met["household_id"].map(begun).astype("datetime64[ns]"))]
    rows = dated_rows(records, persons, "service", "destination_zone", "departure_date_latest")
    rows = rows[rows["metropole"]].merge(persons[["record_id", "household_id"]], on="record_id")
    rows = rows[rows["household_id"].isin(met["household_id"])]
    rows = rows[~(rows["latest"] > rows["household_id"].map(begun).astype("datetime64[ns]"))]
    signs = rows["service"].eq("exploratory_visit") | rows["destination_zone"].eq(REGION)
    signs |= rows["departure_date_latest"].notna()
    return met[keys].drop_duplicates(), rows.loc[signs, keys].drop_duplicates()
