"""The section on services: the way from the metropole to a region, who was reached by what, needs and follow-up.

As the others (__init__.py). From tables that describe, each protected by a rule of its own; nothing here says why
anybody stays or leaves, and the section says so. What may not be told is said in one sentence where it would stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from ...study import REGION_CODES
from ...tables import PROVINCE
from .. import figures
from ..figures.counts import STEPS, spread
from ..inputs import Report, frame_of
from ..markup import Fragment, element, html_table, join, nothing, section
from ..readings import level_name, state_of

WINDOWS = ("before", "around", "after")
ANY = "any"
# What stands where a part has nothing that may be shown.
WHY_NOT = (
    "path.process.missing", "path.delay.missing", "path.reach.missing", "path.needs.missing", "path.reasons.missing",
    "path.follow_up.missing",
)  # fmt: skip
TABLES = ("reach", "delay", "transfer", "funnel", "needs", "reasons", "follow_up")


def service_path(report: Report) -> Fragment:
    """The way to the region, the transfer and the first service, reach by service; needs, reasons and follow-up."""
    say = report.words.say
    if state_of(report) == "nobody" or not any(f"service_{name}" in report.more for name in TABLES):
        return nothing()
    title = say("path.title")
    if report.region != PROVINCE and report.region not in REGION_CODES:
        return section("services", title, element("p", say("path.group")))
    parts = [_process(report), _first_contact(report), _reach(report)]
    gaps = [_needs(report), _reasons(report), _follow_up(report)]
    if not any((*parts, *gaps)):
        in_region = report.words.in_region(report.region)
        return section("services", title, element("p", say("path.nothing", place=in_region)))
    texts = [part or element("p", say(why)) for part, why in zip((*parts, *gaps), WHY_NOT, strict=True)]
    return section(
        "services", title, element("p", say("path.what")), *texts[: len(parts)], element("h3", say("path.gaps.title")),
        *texts[len(parts) :],
        element("p", say("path.note", n=report.words.number(report.rules.threshold)), class_="note"),
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
def _process(report: Report) -> Markup | None:
    """Households step by step: figure, its numbers, and one sentence."""
    say, words = report.words.say, report.words
    rows = _rows(report, "funnel")
    if not rows["shown"].any():
        return None
    drawing = figures.process_figure(report.more["service_funnel"].of(report.region), region=report.region, words=words)
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
    table = html_table(caption, [say("column.step"), say("column.households")], cells, note=note, of="etapes")
    return join(
        element("p", Markup(" ").join(sentences)) if sentences else None, drawing and drawing.html(), table
    )  # fmt: skip


def _first_contact(report: Report) -> Markup | None:
    """Transfers confirmed within 30 and 90 days, and by when a first service came."""
    say, words = report.words.say, report.words
    days, months = (_rows(report, name) for name in ("transfer", "delay"))
    parts: list[Markup | None] = []
    if len(days) and days["shown"].all():
        shares = {f"d{row['horizon']:.0f}": _share(report, row) for _, row in days.iterrows()}
        parts.append(element("p", say("path.transfer", n=words.number(days["n_start"].min()), **shares)))
    shown = months[months["shown"]]
    if len(shown):
        first = shown.sort_values("horizon").iloc[0]
        values = {"share": _share(report, first), "months": words.months(first["horizon"])}
        parts.append(element("p", say("path.delay", n=words.number(first["n_start"]), **values)))
        table = report.more["service_delay"].of(report.region)
        drawing = figures.first_service(table, region=report.region, words=words)
        cells = [[words.months(row["horizon"]), _share(report, row)] for _, row in months.iterrows()]
        caption = say("path.delay.caption", place=words.in_region(report.region))
        header = [say("column.horizon"), say("column.served")]
        parts += [drawing.html() if drawing else None, html_table(caption, header, cells, of="premier-service")]
    return join(element("h3", say("path.delay.title")), *parts) if any(parts) else None


def _reach(report: Report) -> Markup | None:
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
    return join(element("h3", say("path.reach.title")), sentence, table)


# ── gaps ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _needs(report: Report) -> Markup | None:
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
    return join(
        element("p", lead), _two_columns(report, ordered, "need", header, caption, say("path.needs.note"))
    )  # fmt: skip


def _reasons(report: Report) -> Markup | None:
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
    return join(
        element("p", lead), _two_columns(report, shown, "exit_reason", header, caption, say("path.reasons.note"))
    )  # fmt: skip


def _two_columns(
    report: Report, rows: pd.DataFrame, item: str, header: Sequence[str], caption: str, note: str
) -> Markup:
    """An item, of how many households, and a share of them."""
    words = report.words
    cells = [
        [words.label(item, row[item]), _at_least(report, row), _share(report, row)] for _, row in rows.iterrows()
    ]  # fmt: skip
    return html_table(caption, [words.say(key) for key in header], cells, note=note)


def _follow_up(report: Report) -> Markup | None:
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
    return join(lead, html_table(caption, header, cells, note=say("path.follow_up.note")))
