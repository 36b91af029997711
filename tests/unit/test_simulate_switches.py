"""Each switch of the observation model does what its setting says, changes nothing else, and leaves the lives alone."""

from collections import defaultdict
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import pandas as pd
import pytest

from scoring.realised import realised, realised_retention
from trajectories.simulate import Settings, SettingsError, simulate
from trajectories.simulate.geography import geography
from trajectories.simulate.histories import true_lives
from trajectories.simulate.organisations import network_of
from trajectories.simulate.reporting import report
from trajectories.simulate.settings import add_months, date_of, day_of, quarter_of

# The recovery of a known truth rests on these switches, one by one: a second look.
pytestmark = pytest.mark.thorough

USUAL = Settings(households=700, seed=12, defects="none")
SMALL = replace(USUAL, households=40, organisations=6)
ALL_ON = {
    "departure_row_after_contact": "caused",
    "heard_abroad": False,
    "hearing_fades": 0.5,
    "hard_to_reach": 0.3,
    "closing": 0.3,
    "news_stops_contacts": True,
    "service_only": 0.3,
    "contacts_follow_trouble": 3.0,
    "failure_trait": 0.4,
}
PLACE = geography()
LIVES = true_lives(USUAL)
STAYS = defaultdict(list)
for stay in (s for life in LIVES for s in life.stays):
    STAYS[stay.person.number].append(stay)
REGIONS = {o.index: o.region for o in network_of(USUAL).all}
LAST = day_of(USUAL.end)


@cache
def told(**switches):
    """What the organisations write of the same lives, as events: they know the day they were written."""
    settings = replace(USUAL, **switches)
    network = network_of(settings)
    return [e for life in LIVES for e in report(settings, network, life, lambda defect: 0.0)]


@pytest.fixture(scope="module")
def usual():
    return told()


def file_of(event):
    return event.organisation, event.person, event.opening


def first_day(events, chosen):
    """The first day of the chosen events of each file."""
    days = {}
    for e in events:
        if chosen(e):
            days[file_of(e)] = min(e.day, days.get(file_of(e), e.day))
    return days


def departure(event):
    return event.kind == "departure"


def parti(event):
    return event.status == "left"


def without(events, *kinds):
    return [e for e in events if e.kind not in kinds]


def less(events, others):
    """The events that are none of the others: of two alike, each is itself."""
    these = set(map(id, others))
    return [e for e in events if id(e) not in these]


def stay_of(event):
    """The stay that a row is about: the person's latest that had begun in the organisation's region."""
    here = [s for s in STAYS[event.person] if PLACE.region[s.code] == REGIONS[event.organisation]]
    return max((s for s in here if s.start <= event.day), key=lambda s: s.start)


def test_all_switches_together_leave_the_true_histories_alone(tmp_path):
    plain, other = simulate(tmp_path / "a", SMALL), simulate(tmp_path / "b", replace(SMALL, **ALL_ON))
    for table in ("persons", "residences", "stays"):
        pd.testing.assert_frame_equal(getattr(plain, table), getattr(other, table))
    assert not plain.rows.equals(other.rows)


@pytest.mark.parametrize("switch", ALL_ON)
def test_a_switch_leaves_the_true_histories_alone(switch):
    assert true_lives(replace(SMALL, **{switch: ALL_ON[switch]})) == true_lives(SMALL)


def test_suppressed_writes_no_departure_row_after_a_parti(usual):
    found_gone = first_day(usual, parti)
    repeats = [e for e in usual if departure(e) and e.day >= found_gone.get(file_of(e), e.day + 1)]
    assert len(repeats) > 20
    assert told(departure_row_after_contact="suppressed") == less(usual, repeats)


def test_caused_writes_one_departure_row_within_20_days_of_a_parti(usual):
    events = told(departure_row_after_contact="caused")
    assert without(events, "departure") == without(usual, "departure")
    gone, rows = first_day(events, parti), first_day(events, departure)
    assert sum(map(departure, events)) == len(rows)  # never two
    near = [file in rows and rows[file] - day <= 20 for file, day in gone.items()]
    assert sum(near) / len(near) > 0.97  # but where the organisation closed, the period ended, or they came back


def test_caused_without_hearsay_makes_all_news_come_from_contacts():
    events = told(departure_row_after_contact="caused", hearsay=False)
    gone = first_day(events, parti)
    rows = [e for e in events if departure(e) and file_of(e) in gone]
    assert len(rows) > 0.95 * len(gone)
    assert all(0 <= e.day - gone[file_of(e)] <= 20 for e in rows)


def test_nobody_hears_of_departures_abroad_but_contacts_find_them(usual):
    abroad = [e for e in usual if departure(e) and stay_of(e).cause == "outside_quebec"]
    assert len(abroad) > 20
    assert told(heard_abroad=False) == less(usual, abroad)
    assert any(parti(e) and stay_of(e).cause == "outside_quebec" for e in usual)


def test_hearing_fades_with_time_since_the_establishment(usual):
    events = told(hearing_fades=0.5)
    assert without(events, "departure") == without(usual, "departure")
    before, after = first_day(usual, departure), first_day(events, departure)
    assert set(after) < set(before)
    assert all(after[file] >= before[file] for file in after)

    def kept(low, high):
        rows = {file_of(e): stay_of(e) for e in usual if departure(e)}
        those = [f for f, s in rows.items() if s.exit and low <= (s.exit - s.start) / 30.4375 < high]
        return sum(f in after for f in those) / len(those)

    assert kept(0, 6) > 0.6
    assert kept(18, 96) < 0.35
    returned = [e for e in told(hearing_fades=0.0) if departure(e)]
    assert len(returned) < 0.1 * len(before)
    assert all(PLACE.zone[STAYS[e.person][1].code] == "region" for e in returned)  # they came back: no hearing


def test_hard_to_reach_households_are_never_reached_in_any_stay_and_others_as_usual(usual):
    def by_household(events):
        calls = defaultdict(list)
        for e in events:
            if e.kind == "follow_up":
                calls[e.household].append(e)
        return calls

    before, after = by_household(usual), by_household(told(hard_to_reach=0.3, hard_to_reach_failure=1.0))
    hard = {h for h in after if after[h] != before[h]}
    assert all({e.status for e in after[h]} == {"not_reached"} for h in hard)
    assert len(hard) / len(after) == pytest.approx(0.3, abs=0.05)
    now_and_then = by_household(told(hard_to_reach=0.3, hard_to_reach_failure=0.5))
    reached = {h for h in hard if any(e.status != "not_reached" for e in now_and_then[h])}
    assert 0.5 < len(reached) / len(hard) < 1
    nobody = told(hard_to_reach=1.0, hard_to_reach_failure=1.0)
    assert {e.status for e in nobody if e.kind == "follow_up"} == {"not_reached"}


def test_organisations_close_untold(tmp_path):
    settings = replace(USUAL, households=100, closing=0.3)
    truth = simulate(tmp_path, settings)
    closed = truth.organisations.dropna(subset=["closed"]).set_index("organisation_id")["closed"]
    assert len(closed) == round(0.3 * truth.organisations["zone"].eq("region").sum())
    ends = {o.index: o.closed for o in network_of(settings).all if o.closed is not None}
    events = told(closing=0.3)
    assert all(e.day <= ends.get(e.organisation, LAST) for e in events)
    assert all(any(e.organisation == o and e.day > ends[o] for e in told(closing=0.0)) for o in ends)
    for code, day in closed.items():
        last = quarter_of(day_of(day.date()))
        names = [p.name for p in (tmp_path / "raw").rglob(f"{code}_*")]
        assert names
        for name in names:
            year, rest = name.removeprefix(f"{code}_").split("_")[:2]
            first = int(year[:4]) * 4 + 1
            assert (first if rest == "annuel" else first + int(rest[1]) - 1) <= last, name
    registry = (tmp_path / "raw" / "organismes.csv").read_text(encoding="utf-8")
    assert registry.splitlines()[0] == "code;nom;municipalite"
    assert not any(str(date_of(day)) in registry for day in ends.values())


def test_news_stops_contacts(usual):
    rows = first_day(usual, departure)
    late = [e for e in usual if e.kind == "follow_up" and e.day >= rows.get(file_of(e), e.day + 1)]
    assert len(late) > 20
    assert told(news_stops_contacts=True) == less(usual, late)


def test_service_only_stays_begin_with_a_service_within_the_year_and_no_establishment(usual):
    regional = {o.index for o in network_of(USUAL).all if o.zone == "region"}
    events = told(service_only=1.0)
    assert {e.kind for e in events} == {"service", "follow_up", "departure"}
    assert all(e.establishment_date is None and e.departure_date is None for e in events)
    assert all(not e.destination for e in events)
    first = {}
    for e in events:
        if e.organisation in regional:
            first.setdefault(file_of(e), e)
    assert all(e.kind == "service" for e in first.values())
    opened = {o.index: o.opened for o in network_of(USUAL).all}
    days = [e.day - stay_of(e).start for e in first.values() if stay_of(e).start >= opened[e.organisation]]
    assert 350 < max(days) < 365
    assert 140 < sum(days) / len(days) < 182  # not those who have left by then
    for e in (e for e in events if e.kind == "follow_up"):
        due = [add_months(first[file_of(e)].day, m) for m in USUAL.follow_up_months]
        assert min(abs(e.day - d) for d in due) <= 8


def test_service_only_touches_its_share_of_the_stays_and_no_other(usual):
    def by_household(events):
        rows = defaultdict(list)
        for e in events:
            rows[e.household].append(e)
        return rows

    before, after = by_household(usual), by_household(told(service_only=0.3))

    def told_stays(rows):
        return {(e.person, e.establishment_date) for e in rows if e.kind == "establishment"}

    known = {h: told_stays(rows) for h, rows in before.items()}
    share = sum(len(told_stays(after[h])) for h in known) / sum(map(len, known.values()))
    assert share == pytest.approx(0.7, abs=0.04)
    same = [h for h in known if known[h] == told_stays(after[h])]
    assert sum(after[h] != before[h] for h in same) <= 0.01 * len(same)  # who had left before they were registered


def test_contacts_follow_trouble(usual):
    def calls(events):
        return {(*file_of(e), e.day, e.status): e for e in events if e.kind == "follow_up"}

    def in_trouble(event):
        end = stay_of(event).exit
        return end is not None and end <= add_months(event.day, 12)

    events = told(contacts_follow_trouble=3.0)
    assert without(events, "follow_up") == without(usual, "follow_up")
    before, after = calls(usual), calls(events)
    assert set(after) < set(before)
    missing = [e for key, e in before.items() if key not in after]
    assert not any(map(in_trouble, missing))
    well = sum(not in_trouble(e) for e in before.values())
    assert len(missing) / well == pytest.approx(2 / 3, abs=0.04)
    rarer = calls(told(contacts_follow_trouble=1 / 3))
    missing = [e for key, e in before.items() if key not in rarer]
    assert all(map(in_trouble, missing))
    assert len(missing) / (len(before) - well) == pytest.approx(2 / 3, abs=0.08)


def test_a_trait_that_goes_with_leaving_makes_contacts_fail_before_the_exit(usual):
    before = [e for e in usual if e.kind == "follow_up"]
    after = [e for e in told(failure_trait=0.4) if e.kind == "follow_up"]
    assert [(*file_of(e), e.day) for e in after] == [(*file_of(e), e.day) for e in before]
    there = [
        (old, new)
        for old, new in zip(before, after, strict=True)
        if old.status == "present" and (stay_of(old).exit or LAST + 1) <= LAST
    ]
    lost = [(old, new) for old, new in zip(before, after, strict=True) if old.status != new.status]
    assert {(old.status, new.status) for old, new in lost} == {("present", "not_reached")}
    assert not less([old for old, _ in lost], [old for old, _ in there])
    assert len(lost) / len(there) == pytest.approx(0.4, abs=0.08)


def test_certain_contacts_override_what_makes_them_fail(usual):
    certain = told(contacts_succeed=True)
    assert told(contacts_succeed=True, failure_trait=1.0, contacts_follow_trouble=9.0, hard_to_reach=1.0) == certain


def test_faults_of_the_switches_are_sentences():
    with pytest.raises(SettingsError) as caught:
        Settings(
            departure_row_after_contact="sometimes",
            heard_abroad="no",
            hearing_fades=-1,
            service_only=True,
            failure_trait="much",
            contacts_follow_trouble=0,
        )
    lines = str(caught.value).splitlines()
    assert len(lines) == 6
    assert all(line.endswith(".") and ": " in line for line in lines)
    assert "departure_row_after_contact is 'sometimes': choose one of as_heard, suppressed, caused." in lines
    assert "contacts_follow_trouble is 0: give a ratio above 0." in lines


def test_the_realised_truth_of_a_simulation(tmp_path):
    truth, cutoff = simulate(tmp_path, replace(USUAL, households=300, organisations=6)), pd.Timestamp(USUAL.end)
    table = realised(truth, [6, 12.5, 24], cutoff=cutoff)
    shares = table.set_index(["cause", "month"])["share"]
    assert table.groupby("month")["share"].sum().tolist() == pytest.approx([1, 1, 1])
    for month in (6, 12.5, 24):
        assert shares["still_there", month] == realised_retention(truth, cutoff, month)
    stays = truth.stays[truth.stays["establishment"] <= cutoff]
    direct = (stays["exit_cause"].eq("metropole") & (stays["months"] <= 24)).mean()
    assert shares["metropole", 24] == pytest.approx(direct, abs=0.003)
    anywhere = realised(truth, [24], cutoff=cutoff, scope="any_region").set_index("cause")["share"]
    assert anywhere["still_there"] > shares["still_there", 24]
    assert anywhere["other_region"] == 0


def test_the_realised_truth_by_hand():
    days = pd.to_datetime
    stays = pd.DataFrame(
        {
            "true_person": [1, 1, 2, 3, 4, 5],
            "episode": [1, 2, 1, 1, 1, 1],
            "region": ["03", "05", "03", "03", "03", "03"],
            "establishment": days(["2020-01-01", "2020-07-01", *["2020-01-01"] * 3, "2024-01-01"]),
            "exit": days(["2020-07-01", "2021-07-01", None, None, "2020-04-01", None]),
            "exit_cause": ["other_region", "metropole", "", "death", "outside_quebec", ""],
            "months": [6.0, 12.0, float("inf"), 9.0, 3.0, float("inf")],
        }
    )
    truth, cutoff = SimpleNamespace(stays=stays), pd.Timestamp("2022-12-31")

    def share(month, **how):
        table = realised(truth, [month], cutoff=cutoff, **how)
        return table[table["share"] > 0].set_index("cause")["share"].to_dict()

    inside = {"among": {"region": "03"}}
    assert share(5, **inside) == {"still_there": 0.75, "outside_quebec": 0.25}
    # Person 3 died with an exit to come at month 9: it goes to the destinations as the others' exits.
    assert share(9, **inside) == {"still_there": 0.25, "outside_quebec": 0.375, "other_region": 0.375}
    assert share(17.9, scope="any_region") == {"still_there": 0.5, "outside_quebec": 0.5}
    assert share(18, scope="any_region") == {"still_there": 0.25, "metropole": 0.375, "outside_quebec": 0.375}
    assert share(12, since=pd.Timestamp("2020-02-01")) == {"metropole": 1}
    with pytest.raises(ValueError, match="scope is 'town': choose one of region, any_region"):
        realised(truth, [1], cutoff=cutoff, scope="town")
