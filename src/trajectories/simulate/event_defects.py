"""What goes wrong before anything is typed: which file, which person, which quarter a fact is noted under.

These change the events and the drafts of one organisation. What the histories bring about by themselves (homonyms,
late rows, households told of twice) is only counted. The lines are in `defects.DEFECTS`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from .drafts import Draft, trimester_text
from .geography import plain_name
from .histories import Life
from .organisations import Event, Organisation
from .settings import fiscal

if TYPE_CHECKING:
    from .defects import Mishaps


def reopen_files(events: list[Event], organisation: Organisation, mishaps: Mishaps) -> None:
    """A file is closed and re-opened under a new number between two rows about the same person."""
    files: dict[tuple[int, int], list[Event]] = {}
    for event in events:
        files.setdefault((event.person, event.opening), []).append(event)
    last = Counter()
    for person, opening in files:
        last[person] = max(last[person], opening)
    hits = mishaps.hits("file_reopened", organisation.index, len(files))
    for (person, _), hit in zip(sorted(files), hits, strict=True):
        # Only the person's latest file: the openings before it are followed by another already.
        mine = files[person, last[person]]
        days = sorted({e.day for e in mine})
        if hit and len(days) > 1:
            last[person] += 1
            for event in mine:
                if event.day >= days[-1]:
                    event.opening = last[person]
            files[person, last[person]] = [e for e in mine if e.opening == last[person]]
            mishaps.counts["file_reopened", "event"] += 1


def note_under_the_spouse(
    events: list[Event], organisation: Organisation, lives: dict[int, Life], mishaps: Mishaps
) -> None:
    """The spouse is listed as the principal: the services to the household stand under their name.

    Only where both live in one place on the day, so that what the row says stays true of the person it names.
    """
    households = sorted({e.household for e in events})
    hits = mishaps.hits("spouse_as_principal", organisation.index, len(households))
    chosen = {h for h, hit in zip(households, hits, strict=True) if hit}
    for event in events:
        if event.household not in chosen or event.kind != "service" or event.note:
            continue
        life = lives[event.household]
        role = {p.role: p.number for p in life.household.members}
        if "spouse" not in role or event.person != role["principal"]:
            continue
        if any(
            r.person == role["spouse"] and r.code == event.residence and r.start <= event.day
            and (r.end is None or event.day < r.end)
            for r in life.residences
        ):  # fmt: skip
            known = [e.opening for e in events if e.person == role["spouse"] and e.day <= event.day]
            event.person, event.opening = role["spouse"], max(known, default=1)
            mishaps.counts["spouse_as_principal", "event"] += 1


def bend_quarters(
    by_quarter: dict[int, list[Draft]], organisation: Organisation, quarters: list[int], mishaps: Mishaps
) -> None:
    """Quarters reported by household (its principal alone stands for all), and quarters that add up the one before.

    The year adds up, quarter by quarter, where that is the organisation's habit.
    """
    habit = next((d.habit.drawn for drafts in by_quarter.values() for d in drafts), frozenset())
    if {"deposits_cumulative", "deposits_cumulative_as_new"} & habit:
        whole = dict(by_quarter)
        for q in quarters:
            year = [d for p in range(q - fiscal(q)[1] + 1, q) for d in whole.get(p, [])]
            if "deposits_cumulative_as_new" in habit:
                year = [_as_new(d, q) for d in year]
            by_quarter[q] = [*year, *whole.get(q, [])]
        return
    index, n = organisation.index, len(quarters)
    by_household = mishaps.hits("household_level_quarter", index, n)
    cumulative = mishaps.hits("cumulative_quarter", index, n)
    whole = {q: list(by_quarter.get(q, [])) for q in quarters}
    for q, alone, both in zip(quarters, by_household, cumulative, strict=True):
        if alone:
            kept = [d for d in whole[q] if d.identity.person.role == "principal"]
            if 0 < len(kept) < len(whole[q]):
                by_quarter[q] = kept
                mishaps.counts["household_level_quarter", "file"] += 1
        elif both and fiscal(q)[1] > 1 and whole.get(q - 1):
            # The period typed is the deposit's: a row of the quarter before would replace that whole deposit.
            by_quarter[q] = [*(_as_new(d, q) for d in whole[q - 1]), *by_quarter.get(q, [])]
            mishaps.counts["cumulative_quarter", "file"] += 1


def _as_new(draft: Draft, quarter: int) -> Draft:
    """A row of an earlier quarter as if it were of this one."""
    return replace(draft, quarter=quarter, cells=draft.cells | {"trimestre": trimester_text(draft.habit, quarter)})


def count_what_is_there(events: list[Event], lives: dict[int, Life], mishaps: Mishaps) -> None:
    """Count the difficulties that the histories hold by themselves, among those that some organisation has seen."""
    seen = sorted({e.person for e in events})
    people = {p.number: (h, p) for h, life in lives.items() for p in life.household.members}
    names: dict[tuple[str, str], set[int]] = {}
    births: Counter[tuple[int, int]] = Counter()
    for number in seen:
        home, person = people[number]
        names.setdefault((plain_name(person.given_name), plain_name(person.family_name)), set()).add(home)
        births[home, person.birth] += 1
    mishaps.found("homonym_persons", sum(len(homes) - 1 for homes in names.values()))
    mishaps.found("twins", sum(n > 1 for n in births.values()))
    told: dict[tuple[int, int], set[int]] = {}
    for event in events:
        if event.kind == "establishment" and event.establishment_date is not None:
            told.setdefault((event.household, event.establishment_date), set()).add(event.organisation)
    mishaps.found("household_by_two_organisations", sum(len(by) > 1 for by in told.values()))
    mishaps.found("late_row", sum(e.late for e in events))
