"""The headline of a page: the rate in one sentence and as ten persons, what to hold it against, what has changed.

In brief · compared (the whole, and those who settled lately and before) · since the last publication (inputs.py). It
is the same in every region, so that two can be laid side by side.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd
from markupsafe import Markup

from ...study import METROPOLITAN_REGIONS, REGION_CODES
from ...tables import PERIODS, PROVINCE, RECENT
from ..figures.estimates import difference_text
from ..figures.people import of_ten_text, people
from ..inputs import Report, frame_of
from ..markup import Fragment, element, html_table, join, section
from ..readings import HEADLINE_HORIZON, headline_row, limits_text, rate_text, state_of, suppressed
from ..words import Words


def in_brief(report: Report) -> Fragment:
    """The headline: the estimate at twelve months with its limits, or why there is none, and what stands beside it."""
    say, words = report.words.say, report.words
    in_region = words.in_region(report.region)
    state = state_of(report)
    body: list[object] = []
    if state == "estimated":
        row = headline_row(report)
        months = words.months(row["horizon"])
        staying = _staying(report, in_region)
        body.append(element("div", element("p", rate_text(row, words), class_="figure"), _ten(row, staying, words),
                            class_="now"))  # fmt: skip
        body.append(element("p", _sentence(row, staying, months, words), class_="lead"))
        body.append(_compared(report, row))
    else:
        few = suppressed(report)
        why = state if few or state != "too_small" else "withheld"
        sentence = say(f"headline.{why}", place=in_region, n=words.number(report.rules.rate_denominator))
        body.append(element("p", sentence, class_="lead"))
        if report.region in METROPOLITAN_REGIONS:
            body.append(element("p", say("headline.metropolitan")))
        elif few and state == "too_small":
            body.append(element("p", say("headline.too_small_next")))
    if not suppressed(report):
        body.append(_since(report))
    return section("en-bref", say("headline.title"), *body, class_="brief")


def _staying(report: Report, in_region: str) -> str:
    everywhere = report.region == PROVINCE and report.run.scope == "region"
    return report.words.say(
        "headline.staying.own_region" if everywhere else f"headline.staying.{report.run.scope}", place=in_region
    )


def _sentence(row: pd.Series, staying: str, months: str, words: Words) -> str:
    if pd.isna(row["estimate"]):
        return words.say("headline.ranged", staying=staying, months=months)
    if pd.isna(row["lower"]):
        return words.say("headline.sentence_plain", staying=staying, months=months)
    lower, upper = words.percent(row["lower"]), words.percent(row["upper"])
    return words.say("headline.sentence", staying=staying, months=months, lower=lower, upper=upper)


def _ten(row: pd.Series, staying: str, words: Words) -> Markup | None:
    """The rate as ten persons; none where only a range is told."""
    if pd.isna(row["estimate"]):
        return None
    return element(
        "div", people(row["estimate"], staying, words),
        element("p", of_ten_text(row["estimate"], words), aria_hidden="true"), class_="of-ten",
    )  # fmt: skip


# ── what the rate is held against ─────────────────────────────────────────────────────────────────────────
def _compared(report: Report, row: pd.Series) -> Markup | None:
    """The same rate of the whole, and of those who settled lately and before; what may be said of the differences."""
    say, words = report.words.say, report.words
    own = words.region(report.region)
    lines = [(own, row)]
    if report.region != PROVINCE:
        every = frame_of(report.everywhere)
        same = every["group"].eq(PROVINCE) & every["method"].eq("main") & every["horizon"].eq(row["horizon"])
        lines += [(words.region(PROVINCE), provincial) for _, provincial in every[same].iterrows()]
    parts = _periods(report, row["horizon"])
    lines += [(say(f"compared_with.{part}", since=_month(parts[part], words)), parts[part]) for part in parts]
    if len(lines) == 1:
        return element("p", say("compared_with.no_period"), class_="note")
    cells = [[name, rate_text(rate, words), limits_text(rate, words)] for name, rate in lines]
    header = [say("column.who"), say("column.retention_at", months=words.months(row["horizon"])), say("column.limits")]
    sentences = [_beside_the_whole(report, row["horizon"]), _change(parts, words)]
    if not parts:
        sentences.append(say("compared_with.no_period"))
    return join(
        html_table(say("compared_with.caption"), header, cells),
        element("p", Markup(" ").join(text for text in sentences if text)),
    )  # fmt: skip


def _periods(report: Report, horizon: int) -> dict[str, pd.Series]:
    """Those who settled lately and before, where both are told; `at_most` so that each reads as a rate."""
    if "periods" not in report.more:
        return {}
    rows = frame_of(report.more["periods"].of(report.region))
    rows = rows[rows["shown"] & rows["horizon"].eq(horizon)].assign(at_least=float("nan"), at_most=float("nan"))
    by_part = {row["part"]: row for _, row in rows.iterrows()}
    return {part: by_part[part] for part in PERIODS} if set(by_part) == set(PERIODS) else {}


def _month(row: pd.Series, words: Words) -> str:
    return words.month(row["since"])


def _change(parts: dict[str, pd.Series], words: Words) -> str | None:
    return words.say(f"compared_with.{parts[RECENT]['change']}") if parts else None


def _beside_the_whole(report: Report, horizon: int) -> str | None:
    """The difference from the whole as if persons were alike, and whether chance alone would do."""
    if "comparison" not in report.more or report.region == PROVINCE:
        return None
    by = "region" if report.region in REGION_CODES else "groups"
    rows = frame_of(report.more["comparison"])
    of_region = rows["by"].eq(by) & rows["group"].eq(report.region) & rows["measure"].eq("difference")
    rows = rows[of_region & rows["method"].eq("weighted") & rows["horizon"].eq(horizon) & rows["estimate"].notna()]
    if rows.empty:
        return None
    row = rows.iloc[0]
    clear = row["lower"] > 0 or row["upper"] < 0
    return report.words.say(
        f"compared_with.whole_{'clear' if clear else 'chance'}", difference=difference_text(row, report.words)
    )


# ── what has changed ──────────────────────────────────────────────────────────────────────────────────────
def _since(report: Report) -> Markup | None:
    """What the last publication said of the same, where it says something else now."""
    say, words, before = report.words.say, report.words, report.earlier
    title = element("h3", say("since.title"))
    if before is None:
        return join(title, element("p", say("since.first")))
    lines = [_rate_since(report), *(_count_since(report, unit) for unit in ("persons", "households"))]
    items = [element("li", line) for line in lines if line]
    day = element("p", say("since.day", day=words.date(before.day)))
    return join(title, day, element("ul", *items)) if items else join(title, element("p", say("since.nothing")))


def _rate_since(report: Report) -> str | None:
    """The rate at the horizon of the headline, then and now."""
    words = report.words
    if "retention" not in report.earlier.tables:
        return None
    now, then = (
        _main_rate(frame_of(table)) for table in (report.retention, report.earlier.tables["retention"])
    )  # fmt: skip
    if now is None or then is None:
        return None
    months = words.months(HEADLINE_HORIZON)
    return _change_text(report, "rate", now, rate_text(then, words), rate_text(now, words), months=months)


def _main_rate(rates: pd.DataFrame) -> pd.Series | None:
    rows = rates[rates["method"].eq("main") & rates["horizon"].eq(HEADLINE_HORIZON)]
    rows = rows[rows["estimate"].notna() | rows["at_most"].notna()]
    return rows.iloc[0] if len(rows) else None


def _count_since(report: Report, unit: str) -> str | None:
    """How many settled in all, then and now."""
    if "counts" not in report.earlier.tables:
        return None
    totals = []
    for table in (report.counts, report.earlier.tables["counts"]):
        rows = frame_of(table)
        rows = rows[rows["table"].eq("stays") & rows["key"].eq("total") & rows[unit].notna()]
        if rows.empty:
            return None
        totals.append(rows.iloc[0])
    now, then = totals
    return _change_text(report, unit, now, *(report.words.number(row[unit]) for row in (then, now)))


def _change_text(report: Report, measure: str, row: pd.Series, then: str, now: str, **values: str) -> str:
    """From one to the other; or that nothing moved, or that the number published is kept (ledger.py)."""
    kept = row.get("published")
    key = "kept" if isinstance(kept, str | dt.date) and then == now else "same" if then == now else "moved"
    return report.words.say(f"since.{measure}.{key}", then=then, now=now, **values)
