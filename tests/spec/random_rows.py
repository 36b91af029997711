"""Random rows of deposits for many persons at once: rich enough to reach every rule of residence.

Days come from few values and places from few towns, so that reports often agree, nearly agree or contradict.
"""

import datetime as dt
import random

from tables_in import LAVAL, LONGUEUIL, MAGOG, MONTREAL, QUEBEC, SHERBROOKE, SOREL

REGIONAL = (SHERBROOKE, MAGOG, QUEBEC, SOREL, "area 05", "area 03")
METROPOLITAN = (MONTREAL, LAVAL, LONGUEUIL, "area 06")
ANYWHERE = (*REGIONAL, *METROPOLITAN, "area 16")
ELSEWHERE = (*ANYWHERE, "outside", "unknown")
COLUMNS = (
    "person", "org", "arrived", "service", "what", "residence", "established", "destination", "left_metropole",
    "follow_up", "status", "exit", "to", "exit_reason", "filed",
)  # fmt: skip


def random_rows(seed, persons=1, rows=8):
    """(person, organisation, cells) of up to `rows` rows for each of so many persons."""
    rng = random.Random(seed)
    return [
        (f"p{number:05d}", rng.choice(("M1", "M2", "R1", "R2")), _row(rng))
        for number in range(persons)
        for _ in range(rng.randint(1, rows))
    ]


def text_of(rows):
    """The ASCII table of rows."""
    lines = [" | ".join(COLUMNS)]
    for person, organisation, row in rows:
        cells = {"person": person, "org": organisation, **row}
        lines.append(" | ".join(cells.get(column, "") for column in COLUMNS))
    return "\n".join(line + " " for line in lines)


def _row(rng):
    day = dt.date(2020, 1, 1) + dt.timedelta(
        days=rng.choice((0, 5, 20, 30, 31, 32, 60, 61, 100, 182, 184, 300, 400, 700, 1100))
    )
    date = rng.choice((f"{day}", f"{day}", f"{day}", f"{day:%Y-%m}", f"{day:%Y}"))
    place, to = rng.choice(ANYWHERE), rng.choice(ELSEWHERE)
    kind = rng.random()
    if kind < 0.35:
        row = {"service": date, "residence": place, "what": rng.choice(("information", "job_search"))}
    elif kind < 0.6:
        row = {"established": date, "destination": rng.choice(REGIONAL)}
        if rng.random() < 0.5:
            row["residence"] = rng.choice(METROPOLITAN)
        if rng.random() < 0.2:
            row["left_metropole"] = f"{day - dt.timedelta(days=rng.choice((0, 3, 40)))}"
    elif kind < 0.8:
        row = {"follow_up": date, "status": rng.choice(("present", "present", "left", "not_reached"))}
        if rng.random() < 0.6:
            row["residence"] = place
        if rng.random() < 0.1:
            row["destination"] = rng.choice(REGIONAL)
    elif kind < 0.97:
        row = {"residence": rng.choice(REGIONAL), "to": to}
        if rng.random() < 0.7:
            row["exit"] = date
        if rng.random() < 0.3:
            row["exit_reason"] = rng.choice(("job", "death"))
        row["filed"] = f"{day + dt.timedelta(days=rng.choice((0, 10, 150)))}"
    else:
        row = {"left_metropole": date, "residence": rng.choice(METROPOLITAN)}
    if rng.random() < 0.1:
        row["arrived"] = f"{day - dt.timedelta(days=rng.choice((-5, 0, 30, 400)))}"
    return row
