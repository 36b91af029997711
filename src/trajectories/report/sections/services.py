"""The section on services: needs and what was answered, the way from the metropole, who was reached, follow-up.

As the others (__init__.py). From tables that describe, each protected by a rule of its own; nothing here says why
anybody stays or leaves, and the section says so. What may not be told is named in one sentence.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from ...study import REGION_CODES
from ...tables import PROVINCE
from ..inputs import Report, frame_of
from ..markup import Fragment, element, html_table, join, nothing, section
from ..readings import level_name, spread, suppressed

WINDOWS = ("before", "around", "after")
STEPS = ("met_in_metropole", "prepared", "settled", "met_in_region", "there_at_12_months")
ANY = "any"
# The parts of the section, in order, as the catalogue names those that may not be shown.
PARTS = ("needs", "process", "delay", "reach", "reasons", "follow_up")
# Sentences, and the table that they are from; None where nothing may be shown.
Part = tuple[Markup | None, Markup | None] | None
TABLES = ("reach", "delay", "transfer", "funnel", "needs", "reasons", "follow_up")


def service_path(report: Report) -> Fragment:
    """Needs, the way to the region, the transfer and the first service, reach, reasons, follow-up; most on demand."""
    say, words = report.words.say, report.words
    if suppressed(report) or not any(f"service_{name}" in report.more for name in TABLES):
        return nothing()
    title = say("path.title")
    if report.region != PROVINCE and report.region not in REGION_CODES:
        return section("services", title, element("p", say("path.group")))
    makers = (_needs, _process, _first_contact, _reach, _reasons, _follow_up)
    parts = {name: make(report) for name, make in zip(PARTS, makers, strict=True)}
    shown = [part for part in parts.values() if part]
    if not shown:
        return section("services", title, element("p", say("path.nothing", place=words.in_region(report.region))))
    hidden = [say(f"path.part.{name}") for name, part in parts.items() if part is None]
    # needs, of which a table says more than a sentence, are seen at once
    needs = parts["needs"][1] if parts["needs"] else None
    folded = [table for _, table in shown if table is not needs]
    return section(
        "services", title, *(sentence for sentence, _ in shown), needs,
        element("details", element("summary", say("path.tables")), *folded) if any(folded) else None,
        element("p", say("path.not_shown", parts=words.listing(hidden))) if hidden else None,
        element("p", say("path.note", n=words.number(report.rules.threshold)), class_="note"),
    )  # fmt: skip


def _rows(report: Report, name: str) -> pd.DataFrame:
    """All that a protected table of services says of this group, shown or not."""
    if f"service_{name}" not in report.more:
        return pd.DataFrame({"shown": []}, dtype=bool)
    return frame_of(report.more[f"service_{name}"].of(report.region)).reset_index(drop=True)


def _share(report: Report, row: pd.Series | None) -> str:
    if row is None or not row["shown"]:
        return report.words.say("hidden")
    return spread(report.words, *(report.words.percent(row[name]) for name in ("at_least", "at_most")))


def _at_least(report: Report, row: pd.Series) -> str:
    """Of how many: the first number of the class."""
    if not row["shown"]:
        return report.words.say("hidden")
    return report.words.say("at_least_n", n=report.words.number(row["n_start"]))


# ── the way ──────────────────────────────────────────────────────────────────────────────────────────────────
def _process(report: Report) -> Part:
    """Households step by step: in sentences, the numbers on demand."""
    say, words = report.words.say, report.words
    rows = _rows(report, "funnel")
    if not rows["shown"].any():
        return None
    at = rows.set_index("step")
    counts = {
        step: spread(words, *(words.number(row[name]) for name in ("at_least", "at_most")))
        for step, row in at[at["shown"]].iterrows()
    }
    sentences = []
    if {"settled", "met_in_region"} <= set(counts):
        start = "province" if "met_in_metropole" in counts else "region"
        numbers = {"settled": counts["settled"], "arrived": counts["met_in_region"]}
        met = {"met": counts["met_in_metropole"]} if start == "province" else {}
        sentences.append(say(f"path.process.{start}", place=words.in_region(report.region), **numbers, **met))
    if "there_at_12_months" in counts:
        sentences.append(say("path.process.there", there=counts["there_at_12_months"]))
        recent = "settled_too_recently"
        sentences.append(say("path.process.recent", n=counts[recent]) if recent in counts else say("path.process.some"))
    cells = [[words.label("step", step), counts.get(step, say("hidden"))] for step in STEPS if step in at.index]
    caption = say("path.process.caption", place=words.in_region(report.region))
    notes = [say("path.process.prepared")] if "prepared" in at.index else []
    note = Markup(" ").join([*notes, say("path.process.lost")])
    table = html_table(caption, [say("column.step"), say("column.households")], cells, note=note)
    return element("p", Markup(" ").join(sentences)) if sentences else None, table


def _first_contact(report: Report) -> Part:
    """Transfers confirmed within 30 and 90 days, and by when a first service came."""
    say, words = report.words.say, report.words
    days, months = (_rows(report, name) for name in ("transfer", "delay"))
    parts: list[Markup] = []
    table = None
    if len(days) and days["shown"].all():
        shares = {f"d{row['horizon']:.0f}": _share(report, row) for _, row in days.iterrows()}
        parts.append(element("p", say("path.transfer", n=words.number(days["n_start"].min()), **shares)))
    shown = months[months["shown"]]
    if len(shown):
        first = shown.sort_values("horizon").iloc[0]
        values = {"share": _share(report, first), "months": words.months(first["horizon"])}
        parts.append(element("p", say("path.delay", n=words.number(first["n_start"]), **values)))
        cells = [[words.months(row["horizon"]), _share(report, row)] for _, row in months.iterrows()]
        caption = say("path.delay.caption", place=words.in_region(report.region))
        header = [say("column.horizon"), say("column.served")]
        table = html_table(caption, header, cells)
    return (join(*parts), table) if parts else None


def _reach(report: Report) -> Part:
    """Who was reached by which service before, around and after the establishment: one table, the commonest first."""
    say, words = report.words.say, report.words
    rows = _rows(report, "reach")
    if not rows["shown"].any():
        return None
    wide = {key: row for key, row in rows.set_index(["service", "when"]).iterrows()}
    services = [service for service in dict.fromkeys(rows["service"]) if service != ANY]
    last = [when for when in WINDOWS if rows.loc[rows["when"].eq(when), "shown"].any()][-1]
    highest = {
        service: wide[service, last]["at_most"] if wide[service, last]["shown"] else -1.0 for service in services
    }
    ordered = sorted(services, key=lambda service: -highest[service])
    cells = [
        [say("services.any") if service == ANY else level_name("service", service, words),
         *(_share(report, wide.get((service, when))) for when in WINDOWS)]
        for service in (ANY, *ordered)
    ]  # fmt: skip
    sentence = None
    if highest[ordered[0]] > 0:
        name, share = level_name("service", ordered[0], words), _share(report, wide[ordered[0], last])
        sentence = element("p", say(f"path.reach.most.{last}", service=name, share=share))
    bases = [
        say("path.reach.base", when=say(f"path.window.{when}"), n=words.number(part["n_start"].min()))
        for when in WINDOWS
        if len(part := rows[rows["when"].eq(when) & rows["shown"]])
    ]
    header = [say("column.service"), *(say(f"column.{when}") for when in WINDOWS)]
    table = html_table(
        say("path.reach.caption", place=words.in_region(report.region)), header, cells,
        note=say("path.reach.note", bases=words.listing(bases)),
    )  # fmt: skip
    return sentence, table


# ── gaps ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _needs(report: Report) -> Part:
    """Needs that nothing answered within some months."""
    say, words = report.words.say, report.words
    rows = _rows(report, "needs")
    if not rows["shown"].any():
        return None
    shown = rows[rows["shown"]].sort_values("at_most", ascending=False, kind="stable")
    most = shown.iloc[0]
    months = words.months(most["horizon"])
    lead = say("path.needs.most", need=words.label("need", most["need"]), share=_share(report, most), months=months)
    caption = say("path.needs.caption", place=words.in_region(report.region), months=months)
    header, ordered = ("column.need", "column.told_of", "column.without"), pd.concat([shown, rows[~rows["shown"]]])
    return element("p", lead), _two_columns(report, ordered, "need", header, caption, say("path.needs.note"))


def _reasons(report: Report) -> Part:
    """Reasons for leaving beside the services received."""
    say, words = report.words.say, report.words
    rows = _rows(report, "reasons")
    if not rows["shown"].any():
        return None
    shown = rows[rows["shown"]].sort_values("n_start", ascending=False, kind="stable")
    first = shown.iloc[0]
    service = level_name("service", first["service"], words)
    reason = words.label("exit_reason", first["exit_reason"])
    lead = say("path.reasons.first", reason=reason, service=service, share=_share(report, first))
    caption = say("path.reasons.caption", place=words.in_region(report.region))
    header = ("column.reason", "column.households_left", "column.had_service")
    table = _two_columns(report, shown, "exit_reason", header, caption, say("path.reasons.note"))
    return element("p", lead), table


def _two_columns(
    report: Report, rows: pd.DataFrame, item: str, header: Sequence[str], caption: str, note: str
) -> Markup:
    """An item, of how many households, and a share of them."""
    words = report.words
    cells = [
        [words.label(item, row[item]), _at_least(report, row), _share(report, row)] for _, row in rows.iterrows()
    ]  # fmt: skip
    return html_table(caption, [words.say(key) for key in header], cells, note=note)


def _follow_up(report: Report) -> Part:
    """Contacts held of those due, and persons reached of those held, by month of the schedule and type."""
    say, words = report.words.say, report.words
    rows = _rows(report, "follow_up")
    if not rows["shown"].any():
        return None
    at = {key: row for key, row in rows.set_index(["organisation_type", "horizon", "measure"]).iterrows()}
    shown = rows[rows["shown"]]
    of_type = shown.sort_values("horizon", kind="stable").groupby("organisation_type", sort=True)["horizon"].unique()
    cells = []
    for kind in (name for name in ("all", "region_larger", "region_smaller", "metropole_only") if name in of_type):
        for month in of_type[kind]:
            shares = [at.get((kind, month, f"follow_up_{name}")) for name in ("coverage", "reached")]
            name = words.label("organisation_type", kind)
            cells.append([say("path.follow_up.row", months=words.months(month), type=name),
                          *(_share(report, row) for row in shares)])  # fmt: skip
    both = shown[shown["organisation_type"].eq("all")].sort_values(["measure", "horizon"])
    lead = None
    if len(both):
        row = both.iloc[0]
        key = f"path.follow_up.{row['measure'].removeprefix('follow_up_')}"
        lead = element("p", say(key, share=_share(report, row), months=words.months(row["horizon"])))
    header = [say("column.follow_up"), say("column.held"), say("column.reached_of_held")]
    caption = say("path.follow_up.caption", place=words.in_region(report.region))
    table = html_table(caption, header, cells, note=say("path.follow_up.note"))
    return lead, table
