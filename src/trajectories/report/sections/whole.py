"""What concerns all regions: on the page of the whole a map of them, in the annex what a statistician looks for.

As the others (__init__.py): each takes the `Report` of the whole and gives a `Fragment`; a section with nothing to say
is not on the page.
"""

from __future__ import annotations

import pandas as pd

from ...study import METROPOLITAN_REGIONS, REGION_CODES
from ...tables import PROVINCE
from .. import figures
from ..figures.estimates import difference_cell, group_name
from ..inputs import Report, frame_of
from ..markup import Fragment, Markup, element, html_table, join, nothing, numbers_id, section, under_figure
from ..readings import HEARSAY, by_hearsay, level_name, notes, with_limits
from ..run import PLACES
from ..words import Words

# The methods that have to agree on a service (analysis/services/leads.py), the first being the main one; and its
# controls.
METHODS, PERMUTED, BEFORE = ("discrete", "with_services", "landmark_6"), "permuted", "before_departure"


def beside(report: Report) -> Fragment:
    """The regions on a map, and their rates on demand."""
    say, words = report.words.say, report.words
    drawing, table = figures.tile_map(report.everywhere, words=words), _rates(report)
    if drawing is None:
        return section("regions", say("comparison.title"), table)
    return section(
        "regions", say("comparison.title"), drawing.html(), under_figure(drawing.name, say("comparison.table"), table)
    )


def regions(report: Report) -> Fragment:
    """Every region beside the others: as curves, and against what chance alone would do."""
    say, words, more = report.words.say, report.words, report.more
    curves = figures.curves_of_regions(more["curves"], report.everywhere, words=words)
    chance = figures.funnel(more["funnel"], report.everywhere, words=words) if "funnel" in more else None
    shown = [drawing.html() for drawing in (curves, chance) if drawing]
    if not shown:
        return nothing()
    return section("regions", say("comparison.title"), element("p", say("comparison.what")), *shown)


def _rates(report: Report) -> Markup:
    """Every region's rates with their limits, and drawn towards the whole."""
    say, words = report.words.say, report.words
    rates = frame_of(report.everywhere)
    horizons = [h for h in (12, 24) if h in set(rates["horizon"])]
    main = rates[(rates["method"] == "main") & rates["horizon"].isin(horizons)]
    heard = by_hearsay(main).any()
    main, shrunken = main.set_index(["group", "horizon"]), _shrunken(report)
    rows, header = [], [say("column.region")]
    for horizon in horizons:
        header.append(say("column.retention_at", months=words.months(horizon)))
        if not shrunken.empty:
            header.append(say("column.drawn_at", months=words.months(horizon)))
    for code in [*(c for c in REGION_CODES if c not in METROPOLITAN_REGIONS), PROVINCE]:
        cells: list[object] = []
        for horizon in horizons:
            row = main.loc[(code, horizon)] if (code, horizon) in main.index else None
            cells.append(say("hidden") if row is None else with_limits(row, words, hearsay=row["known"] == HEARSAY))
            if not shrunken.empty:
                at = (code, horizon)
                cells.append(with_limits(shrunken.loc[at], words) if at in shrunken.index else words.number(None))
        rows.append([words.region(code), *cells])
    keys = ["comparison.note", "ranges.note", *(["drawn.note"] if not shrunken.empty else [])]
    note = notes(words, *keys, hearsay=bool(heard))
    return html_table(say("comparison.caption"), header, rows, note=note)


def _shrunken(report: Report) -> pd.DataFrame:
    """Regions' rates drawn towards the province, by group and horizon, where they may be told."""
    if "drawn" not in report.more:
        return pd.DataFrame()
    rows = frame_of(report.more["drawn"]).dropna(subset=["shrunken"])
    rates = rows[["group", "horizon", "shrunken", "shrunken_lower", "shrunken_upper"]]
    return rates.set_axis(["group", "horizon", "estimate", "lower", "upper"], axis=1).set_index(["group", "horizon"])


def compared(report: Report) -> Fragment:
    """Periods, categories, households, regions and groups of regions, as if their persons were alike."""
    say, words = report.words.say, report.words
    if "comparison" not in report.more:
        return nothing()
    table = report.more["comparison"]
    rows = frame_of(table)
    horizons = [h for h in (12, 24) if h in set(rows["horizon"])]
    every = list(dict.fromkeys(rows["by"]))
    kinds = {"ecarts": [by for by in every if by not in PLACES], "ecarts-lieux": [by for by in every if by in PLACES]}
    body: list[object] = []
    for name, by in kinds.items():
        drawings = [figures.differences(table, by=by, horizon=h, words=words, name=name) for h in horizons[:1]]
        body += [drawing.html() for drawing in drawings if drawing]
        if any(drawings):
            body.append(element("div", *(_differences(report, one, horizons) for one in by), id=numbers_id(name)))
    if not any(body):
        return nothing()
    alike = rows.loc[rows["method"].eq("weighted"), "adjusted_for"].dropna()
    held = dict.fromkeys(name for names in alike for name in names.split(", ") if name)
    held = sorted(held, key=lambda name: name == "city_size")  # which has a reserve, and comes last
    sentence = say("compared.what", held=words.listing([words.label("held_alike", name) for name in held]))
    return section("comparaison", say("compared.title"), element("p", sentence), *body)


def _differences(report: Report, by: str, horizons: list[int]) -> Markup | None:
    """One comparison as a table: differences as they stand and persons alike, months, and how far persons overlap."""
    say, words = report.words.say, report.words
    rows = frame_of(report.more["comparison"])
    rows = rows[rows["by"].eq(by)]
    if rows["estimate"].isna().all():
        return None
    plain = by not in PLACES
    asked = [*(("difference", "unadjusted", h) for h in horizons[:1] if plain),
             *(("difference", "weighted", h) for h in horizons),
             *(("restricted_mean_difference", "weighted", h) for h in horizons[-1:])]  # fmt: skip
    header = [say("column.group"), *(say(f"column.{measure}.{method}", months=words.months(h))
                                     for measure, method, h in asked), say("column.overlap")]  # fmt: skip
    lines = []
    for group, of_group in rows.groupby("group", sort=False):
        at = {(row["measure"], row["method"], row["horizon"]): row for _, row in of_group.iterrows()}
        cells = [difference_cell(at[key], words) if key in at else say("hidden") for key in asked]
        shares = of_group.loc[of_group["method"].eq("weighted"), "overlap"].dropna()
        least = words.percent(shares.min() if len(shares) else None)
        cells.append(say("at_least", lower=least) if (shares < 1).any() else least)
        lines.append([group_name(by, group, words), *cells])
    reference = group_name(by, rows["reference"].iloc[0], words)
    note = say("compared.adults") if by == "household_type" else None
    caption = say("compared.caption", what=words.label("compared", by), reference=reference)
    return html_table(caption, header, lines, note=note)


def flows(report: Report) -> Fragment:
    """From which region to which: the matrix."""
    say, words = report.words.say, report.words
    drawing = figures.flow_figure(report.more["counts"], words=words, table="origin")
    if drawing is None:
        return nothing()
    return section("flux", say("flows.title"), element("p", say("flows.what")), drawing.html())


def types(report: Report) -> Fragment:
    """The types of trajectories: what becomes of their members month by month, and the paths that many share."""
    say, words, more = report.words.say, report.words, report.more
    if not {"types", "states", "paths"} <= set(more):
        return nothing()
    drawings = [
        figures.states_by_type(more["states"], more["types"], words=words),
        figures.paths_by_type(more["paths"], more["types"], words=words),
    ]
    shown = [drawing.html() for drawing in drawings if drawing]
    return section("types", say("types.title"), element("p", say("types.what")), *shown) if shown else nothing()


def associations(report: Report) -> Fragment:
    """What goes with leaving sooner or staying longer, traits and services: an association, never a cause."""
    say, words = report.words.say, report.words
    drawings = figures.forests(report.more["coefficients"], words=words) if "coefficients" in report.more else []
    services = _services_and_staying(report)
    if not drawings and services is None:
        return nothing()
    return section(
        "associations", say("associations.title"), element("p", say("associations.what")),
        *(drawing.html() for drawing in drawings),
        services,
    )  # fmt: skip


def _services_and_staying(report: Report) -> Markup | None:
    """Each service by the methods that have to agree, with its control and its E-value; then the other control."""
    say, words = report.words.say, report.words
    if "served" not in report.more:
        return None
    rows = frame_of(report.more["served"])
    at = {(row["model"], row["term"]): row for _, row in rows[rows["shown"]].iterrows()}
    services = [s for s in rows.loc[rows["model"].eq(METHODS[0]), "term"] if (METHODS[0], s) in at]
    if not services:
        return None
    cells = []
    for service in services:
        ratios = [_ratio(at.get((model, service)), words) for model in (*METHODS, PERMUTED)]
        doubt = words.number(at[METHODS[0], service]["e_value_limit"], 1)
        cells.append([level_name("service", service, words), *ratios, doubt])
    header = [say("column.service"), say("column.ratio"),
              *(words.label("model", model) for model in (*METHODS[1:], PERMUTED)), say("column.e_value")]  # fmt: skip
    before = [
        say(
            "served.before", service=level_name("service", service, words), ratio=words.number(row["hazard_ratio"], 2),
            lower=words.number(row["lower"], 2), upper=words.number(row["upper"], 2),
        )
        for (model, service), row in at.items() if model == BEFORE
    ]  # fmt: skip
    return join(
        element("h3", say("served.title")), element("p", say("served.what")),
        html_table(say("served.caption"), header, cells, note=say("served.note")),
        *(element("p", sentence) for sentence in before),
    )  # fmt: skip


def _ratio(row: pd.Series | None, words: Words) -> object:
    """A ratio above its limits."""
    if row is None:
        return words.say("hidden")
    low, ratio, high = (words.number(row[name], 2) for name in ("lower", "hazard_ratio", "upper"))
    return join(ratio, element("span", words.say("from_to", lower=low, upper=high), class_="limits"))
