"""Estimates with their limits: the forest plot of a model, differences between groups, the funnel of regions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...tables import PROVINCE
from ..drawing import BOUND, CURVE, FONT_SIZE, INK, MUTED, RULE, SMALL, WIDE, Drawing, apart, broken, draw
from ..inputs import frame_of
from ..markup import element, html_table, join, under_figure
from ..readings import HEADLINE_HORIZON, level_name
from ..run import PLACES
from ..words import Words

# ----------------------------------------------------------------------------------------------------
# Values with their limits, one under the other on one scale, grouped under heads: what a forest plot is made of.
#
# The middle of the scale is « no difference ». A square is full where the limits leave it out, and limits that go on
# beyond the scale end in an arrow. A value that may not be shown keeps its line, and says why.

HEAD, REFERENCE, LEVEL = "head", "reference", "level"
_HEAD, _ROW, _ROW_NARROW, _MORE, _TOP, _AXIS = 30, 25, 46, 9, 30, 34
_LABELS = 230  # left of the scale on a wide page


@dataclass(frozen=True)
class Line:
    """
    What stands on a line.

    `kind`: a head, what the levels under it are held against, or a level. `name`, and at the right end `numbers`, in
    words. `interval`: lower, value, upper on the scale (None: not shown). `beside`: a second value, drawn as a ring.
    """

    kind: str
    name: str
    numbers: str = ""
    interval: tuple[float, float, float] | None = None
    beside: float | None = None


def draw_intervals(
    name: str, lines: Sequence[Line], *, reach: float, ticks: Mapping[float, str], sides: tuple[str, str],
    numbers: int = 150,
) -> tuple[str, str]:  # fmt: skip
    """
    The wide and the narrow drawing.

    Parameters
    ----------
    name : str
        Prefix of every id in the drawing.
    lines : sequence of Line
    reach : float
        The scale goes from −reach to reach.
    ticks : mapping of float to str
        Where the scale is marked, and what is written there.
    sides : pair of str
        What lies left of the middle, and right of it.
    numbers : int
        Pixels kept for them at the right end of a wide page.
    """

    def heights(width: int) -> list[float]:
        level = _ROW if width == WIDE else _ROW_NARROW
        row_heights = {HEAD: _HEAD, REFERENCE: _ROW}
        # a name on two lines does not touch those of its neighbours
        more = [_MORE if width == WIDE and "\n" in _name_of_line(line) else 0 for line in lines]
        return [row_heights.get(line.kind, level) + add for line, add in zip(lines, more, strict=True)]

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        tall = sum(heights(width))
        left, right = (_LABELS, numbers) if wide else (10, 10)
        axes = figure.add_axes((left / width, _AXIS / total, (width - left - right) / width, tall / total))
        axes.set_xlim(-reach, reach)
        axes.set_ylim(tall, 0)
        axes.axvline(0, color=INK, linewidth=1.0)
        for tick in ticks:
            if tick:
                axes.axvline(tick, color=RULE, linewidth=0.6)
        y = 0.0
        # on a telephone labels lie over the lines of the scale
        behind = None if wide else {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        edge = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False,
                "va": "center", "bbox": behind}  # fmt: skip
        for line, step in zip(lines, heights(width), strict=True):
            middle = y + step / 2
            if line.kind == HEAD:
                axes.annotate(line.name, (0, y + step - 11), (-left + 2, 0), weight="bold", color=INK, **edge)
            else:
                font = {"fontsize": None if wide else SMALL, **edge}
                at = middle if wide or line.kind == REFERENCE else y + 13
                text = _name_of_line(line) if wide else line.name
                axes.annotate(text, (0, at), (-left + (14 if wide else 10), 0), linespacing=1.0,
                              color=MUTED if line.kind == REFERENCE else INK, **font)  # fmt: skip
                _interval(axes, line, middle if wide else y + 32, reach)
                axes.annotate(line.numbers, (1, at), (right - 2, 0), ha="right",
                              color=INK if line.interval else MUTED, **font)  # fmt: skip
            y += step
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_yticks([])
        axes.tick_params(length=0, pad=6)
        axes.spines["left"].set_visible(False)
        for side, text in zip((-1, 1), sides, strict=True):
            axes.annotate(
                text, (0.5, 1), (10 * side, 14), xycoords="axes fraction", textcoords="offset points", va="center",
                ha="right" if side < 0 else "left", color=MUTED, fontsize=SMALL, annotation_clip=False,
            )  # fmt: skip

    return draw(name, paint, lambda width: math.ceil(_TOP + sum(heights(width)) + _AXIS))


def _name_of_line(line: Line) -> str:
    """The name as a wide page has it, on as many lines as it needs."""
    return line.name if line.kind == HEAD else broken(line.name, _LABELS - 26)


def _interval(axes, line: Line, y: float, reach: float) -> None:
    if line.interval is None:
        return
    low, at, high = line.interval
    axes.plot([max(low, -reach), min(high, reach)], [y, y], color=BOUND, linewidth=2.2, solid_capstyle="butt")
    for end, mark in ((low, "<"), (high, ">")):
        if abs(end) > reach:
            axes.plot(math.copysign(reach, end), y, mark, color=BOUND, markersize=6, clip_on=False)
    if line.beside is not None and abs(line.beside) <= reach:
        axes.plot(line.beside, y, "o", color="white", markeredgecolor=BOUND, markeredgewidth=1.4, markersize=8)
    if abs(at) <= reach:
        sure = low > 0 or high < 0
        axes.plot(at, y, "s", color=CURVE if sure else "white", markeredgecolor=CURVE, markeredgewidth=1.6,
                  markersize=7, zorder=3)  # fmt: skip


# ----------------------------------------------------------------------------------------------------
# Groups against the one they are held against, persons alike: differences in retention with their limits.
#
# Left of the middle fewer stay than in the reference, right of it more. The square is the answer with persons alike
# (by weights), the ring the difference as it stands; where the model of leaving says something else, it has a line of
# its own. A difference is an association, and the caption says so.

RATES, MONTHS = "difference", "restricted_mean_difference"
UNADJUSTED, WEIGHTED, G_COMPUTATION = "unadjusted", "weighted", "g_computation"


def differences(contrasts, *, by: Sequence[str], horizon: int, words: Words, name: str) -> Drawing | None:
    """
    Differences in retention at one horizon.

    Parameters
    ----------
    contrasts : Protected
        Table `comparison`.
    by : sequence of str
        The comparisons to draw, in their order.
    horizon : int
        Months.
    words : Words
    name : str
        Id on the page.

    Returns
    -------
    Drawing or None
        None where no difference may be shown.
    """
    rows = at_horizon(contrasts, by, horizon)
    published = rows[rows["method"].eq(WEIGHTED) & rows["estimate"].notna()]
    if published.empty:
        return None
    ends = published[["lower", "upper"]].abs().to_numpy(dtype=float)
    reach = float(min(max(0.05, ends.max() * 1.06), 0.4))
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if reach / step < 5)
    n_ticks = math.floor(reach / step + 1e-9)
    ticks = {k * step: words.signed(100 * k * step) for k in range(-n_ticks, n_ticks + 1)}
    svg, narrow = draw_intervals(
        name, _difference_lines(rows, by, words), reach=reach, ticks=ticks,
        sides=(words.say("figure.differences.fewer"), words.say("figure.differences.more")),
    )  # fmt: skip
    months = words.months(horizon)
    farthest = published.loc[published["estimate"].abs().sort_values(ascending=False).index].head(2)
    numbers = [f"{group_name(row['by'], row['group'], words)}, {difference_text(row, words)}"
               for _, row in farthest.iterrows()]  # fmt: skip
    alt = words.say(
        "figure.differences.alt", months=months, n=words.say_many("figure.differences.groups", len(published)),
        numbers="; ".join(numbers),
    )  # fmt: skip
    return Drawing(name, svg, narrow, alt, words.say("figure.differences.caption", months=months))


def at_horizon(contrasts, by: Sequence[str], horizon: int) -> pd.DataFrame:
    """The protected differences in retention of some comparisons at one horizon, in their order."""
    rows = frame_of(contrasts)
    rows = rows[rows["measure"].eq(RATES) & rows["horizon"].eq(horizon) & rows["by"].isin(by)]
    return rows.sort_values("by", key=lambda names: names.map(list(by).index), kind="stable", ignore_index=True)


def group_name(by: str, group: str, words: Words) -> str:
    """The name of a group of a comparison: a region, a group of regions, or a level (`column=level`)."""
    return words.region(group) if by in PLACES else level_name(by, group.partition("=")[2], words)


def difference_text(row: pd.Series, words: Words) -> str:
    """A difference with its limits, in points or in months; else why there is none."""
    if pd.isna(row["estimate"]):
        return _unpublished_text(row, words)
    at, lower, upper = _signed_texts(row, words)
    return words.say("figure.differences.limits", at=at, lower=lower, upper=upper)


def difference_cell(row: pd.Series, words: Words) -> Markup:
    """The same in a cell of a table: the limits under the difference."""
    if pd.isna(row["estimate"]):
        return join(_unpublished_text(row, words))
    at, lower, upper = _signed_texts(row, words)
    return join(at, element("span", words.say("between", lower=lower, upper=upper), class_="limits"))


def _unpublished_text(row: pd.Series, words: Words) -> str:
    return words.say("insufficient" if row["reason"] in ("insufficient", "at_risk") else "hidden")


def _signed_texts(row: pd.Series, words: Words) -> list[str]:
    unit, decimals = (1, 1) if row["measure"] == MONTHS else (100, 0)
    return [words.signed(unit * row[name], decimals) for name in ("estimate", "lower", "upper")]


def _difference_lines(rows: pd.DataFrame, by: Sequence[str], words: Words) -> list[Line]:
    lines: list[Line] = []
    for covariate in by:
        of_covariate = rows[rows["by"].eq(covariate)]
        if of_covariate["estimate"].isna().all():
            continue
        lines.append(Line(HEAD, words.label("compared", covariate)))
        reference = of_covariate["reference"].iloc[0]
        lines.append(Line(REFERENCE, group_name(covariate, reference, words), words.say("figure.forest.reference")))
        for group, answers in of_covariate.groupby("group", sort=False):
            of = {method: row for method, (_, row) in zip(answers["method"], answers.iterrows(), strict=True)}
            name = group_name(covariate, group, words)
            plain = of[UNADJUSTED]["estimate"] if UNADJUSTED in of else math.nan
            for method in (WEIGHTED, G_COMPUTATION):
                row = of.get(method)
                if row is None or (method == G_COMPUTATION and not row["disagree"]):
                    continue
                line_name = name if method == WEIGHTED else words.say("figure.differences.model", name=name)
                ring = float(plain) if method == WEIGHTED and pd.notna(plain) else None
                lines.append(Line(LEVEL, line_name, difference_text(row, words), _ends(row), ring))
    return lines


def _ends(row: pd.Series) -> tuple[float, float, float] | None:
    if pd.isna(row["estimate"]):
        return None
    return float(row["lower"]), float(row["estimate"]), float(row["upper"])


# ----------------------------------------------------------------------------------------------------
# The forest plot of a model: a hazard ratio with its limits on every line, grouped by covariate.
#
# The scale is one of ratios: half and twice lie as far from 1. Left of 1, one stays longer than the reference; right
# of it, one leaves sooner. The reference of each covariate is said on its own line. A ratio that may not be shown
# keeps its line, and says « masqué ». An association is no cause, and the caption says so.

# Lines of a drawing that still fills a sheet of paper from side to side.
MOST_LINES = 28


def forest(
    coefficients, *, words: Words, model: str = "cox", references: dict[str, str] | None = None
) -> Drawing | None:
    """
    The hazard ratios of one model.

    Parameters
    ----------
    coefficients : Protected
        Table of that name.
    words : Words
    model : str
        Which of its models.
    references : dict, optional
        Covariate → its reference level; the column `reference` of the table where not given.

    Returns
    -------
    Drawing or None
        None where no ratio of the model may be shown.
    """
    return next(iter(_drawings(coefficients, words, model, references, most=math.inf)), None)


def forests(coefficients, *, words: Words) -> list[Drawing]:
    """The ratios of `forest`, in as many drawings as it takes for each to be read on a sheet of paper."""
    return _drawings(coefficients, words, "cox", None, most=MOST_LINES)


def _drawings(coefficients, words: Words, model: str, references: dict | None, most: float) -> list[Drawing]:
    rows = frame_of(coefficients)
    rows = rows[rows["model"].eq(model) & rows["term"].notna()]
    # a covariate that the model is stratified by, or that is left out whole, has no ratio to draw
    rows = rows[rows["level"].notna() | rows["hazard_ratio"].notna()].reset_index(drop=True)
    if rows["hazard_ratio"].isna().all():
        return []
    published = rows.dropna(subset=["hazard_ratio"])
    ends = published[["hazard_ratio", "lower", "upper"]].to_numpy(dtype=float)
    # one scale for all the drawings
    reach = float(np.clip(np.nanmax(np.abs(np.log(ends[ends > 0]))) * 1.08, math.log(2), math.log(16)))
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if abs(math.log(tick)) <= reach]
    drawings: list[Drawing] = []
    for terms in _dealt(rows, most):
        part = rows[rows["term"].isin(terms)]
        name = f"rapports-{len(drawings) + 1}" if drawings else "rapports"
        lines = _lines(part, references or {}, words)
        svg, narrow = draw_intervals(
            name, lines, reach=reach, ticks={math.log(tick): _ratio_text(tick, words) for tick in ticks},
            sides=(words.say("figure.forest.stays"), words.say("figure.forest.leaves")),
        )  # fmt: skip
        alt = _alt(part, part.dropna(subset=["hazard_ratio"]), words)
        drawings.append(
            Drawing(name, svg, narrow, alt, words.say("figure.forest.caption"), _table(name, lines, drawings, words))
        )
    return drawings


def _dealt(rows: pd.DataFrame, most: float) -> list[list[str]]:
    """The covariates of each drawing, in their order: about as many lines in each, and some ratio."""
    # of a covariate its name, its reference and its levels
    lines = rows.groupby("term", sort=False).size() + 2
    number = math.ceil(lines.sum() / most) if math.isfinite(most) else 1
    drawing = ((lines.cumsum() - lines / 2) * number / lines.sum()).astype(int)
    dealt = [list(part.index) for _, part in lines.groupby(drawing, sort=True)]
    with_ratio = set(rows.loc[rows["hazard_ratio"].notna(), "term"])
    return dealt if all(with_ratio & set(terms) for terms in dealt) else [list(lines.index)]


def _lines(rows: pd.DataFrame, references: dict[str, str], words: Words) -> list[Line]:
    """A covariate, its reference, its levels; a number (age) is one line under its own name."""
    lines: list[Line] = []
    for term in dict.fromkeys(rows["term"]):
        of_term = rows[rows["term"].eq(term)]
        lines.append(Line(HEAD, words.label("covariate", term)))
        own_reference = of_term["reference"].dropna() if "reference" in of_term else pd.Series(dtype=object)
        reference = references.get(term) or (own_reference.iloc[0] if len(own_reference) else None)
        if reference is not None:
            lines.append(Line(REFERENCE, level_name(term, reference, words), words.say("figure.forest.reference")))
        for _, row in of_term.iterrows():
            lines.append(Line(LEVEL, _line_name(row, words), _numbers(row, words), _logs(row)))
    return lines


def _line_name(row: pd.Series, words: Words) -> str:
    """The level, and the months since establishment that the ratio is of, where the hazards are not proportional."""
    name = words.say("figure.forest.unit")
    if pd.notna(row["level"]):
        name = level_name(row["term"], row["level"], words)
    first, last = row.get("from_month", 0.0), row.get("to_month", math.inf)
    if pd.notna(last) and math.isfinite(last):
        return words.say("figure.forest.until", name=name, months=words.months(last))
    if pd.notna(first) and first > 0:
        return words.say("figure.forest.after", name=name, months=words.months(first))
    return name


def _logs(row: pd.Series) -> tuple[float, float, float] | None:
    if pd.isna(row["hazard_ratio"]):
        return None
    low, at, high = (math.log(max(float(row[name]), 1e-6)) for name in ("lower", "hazard_ratio", "upper"))
    return low, at, high


def _numbers(row: pd.Series, words: Words) -> str:
    if pd.isna(row["hazard_ratio"]):
        return words.say("figure.forest.few" if row["reason"] == "insufficient" else "hidden")
    ratio, lower, upper = (words.number(row[name], 2) for name in ("hazard_ratio", "lower", "upper"))
    return words.say("figure.forest.ratio", ratio=ratio, lower=lower, upper=upper)


def _ratio_text(tick: float, words: Words) -> str:
    return words.number(tick, 0 if tick >= 1 else 3 if tick < 0.2 else 2 if tick < 0.5 else 1)


def _alt(rows: pd.DataFrame, shown: pd.DataFrame, words: Words) -> str:
    farthest = shown.loc[np.log(shown["hazard_ratio"].astype(float)).abs().sort_values(ascending=False).index].head(2)
    numbers = []
    for _, row in farthest.iterrows():
        term = words.label("covariate", row["term"])
        name = term if pd.isna(row["level"]) else words.say(
            "level.of_trait", trait=term, level=level_name(row["term"], row["level"], words)
        )  # fmt: skip
        numbers.append(f"{name}, {_numbers(row, words)}")
    return words.say(
        "figure.forest.alt", model=words.label("model", rows["model"].iloc[0]),
        ratios=words.say_many("figure.forest.ratios", len(shown)), numbers="; ".join(numbers),
    )  # fmt: skip


def _table(name: str, lines: list[Line], before: list[Drawing], words: Words) -> Markup:
    """The lines as a table: the level with its covariate, and the ratio with its limits, or « référence »."""
    rows, trait = [], ""
    for line in lines:
        if line.kind == HEAD:
            trait = line.name
        else:
            rows.append([words.say("level.of_trait", trait=trait, level=line.name), line.numbers])
    header = [words.say("column.trait"), words.say("column.ratio_limits")]
    caption = words.say("figure.forest.numbers")
    if before:
        caption = words.say("figure.forest.numbers_next", caption=caption, n=words.number(len(before) + 1))
    return under_figure(name, words.say("figure.numbers"), html_table(caption, header, rows))


# ----------------------------------------------------------------------------------------------------
# The funnel: each region's rate against how many persons it is worth, between the limits that chance alone would give.
#
# Instead of a league table (Spiegelhalter 2005, « Funnel plots for comparing institutional performance »): a small
# region lies far from the others more often, and there the limits are wide. Only regions outside the outer limits are
# named; the points inside are alike as far as anyone can tell. The rates are those of the table `retention`; the
# limits come with the numbers (disclosure/contrasts.py).

_INNER, _OUTER = "#dbe4ee", "#eef2f6"


def funnel(limits, retention, *, words: Words, horizon: int = HEADLINE_HORIZON) -> Drawing | None:
    """
    The rate of every region against its size, with 95 % and 99.8 % control limits round the provincial rate.

    Parameters
    ----------
    limits, retention : Protected
        Control limits, and the table `retention`, of all groups.
    words : Words
    horizon : int
        Months.

    Returns
    -------
    Drawing or None
        None where fewer than two regions may be shown, or the provincial rate may not.
    """
    points, centre = _points(frame_of(limits), frame_of(retention), horizon)
    if len(points) < 2 or centre is None:
        return None
    low = min(points[["estimate", "lower_998"]].min().min(), centre)
    high = max(points[["estimate", "upper_998"]].max().max(), centre)
    floor, ceiling = max(0.0, round(low - 0.06, 1)), min(1.0, round(high + 0.06, 1))
    smallest, largest = float(points["n"].min()), float(points["n"].max())

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        left, right, under, top = (52, 132, 52, 14) if wide else (46, 12, 52, 14)
        axes = figure.add_axes(
            (left / width, under / total, (width - left - right) / width, (total - under - top) / total)
        )
        ordered = points.sort_values("n")
        axes.fill_between(ordered["n"], ordered["lower_998"], ordered["upper_998"], color=_OUTER, linewidth=0)
        axes.fill_between(ordered["n"], ordered["lower_95"], ordered["upper_95"], color=_INNER, linewidth=0)
        for name, style in (("95", "-"), ("998", (0, (4, 2)))):
            for end in ("lower", "upper"):
                axes.plot(ordered["n"], ordered[f"{end}_{name}"], color=BOUND, linewidth=1.0, linestyle=style)
        axes.axhline(centre, color=INK, linewidth=1.2)
        inside = points[~points["outside"]]
        outside = points[points["outside"]]
        axes.plot(inside["n"], inside["estimate"], "o", color="white", markeredgecolor=CURVE, markersize=7, zorder=3,
                  clip_on=False)  # fmt: skip
        axes.plot(outside["n"], outside["estimate"], "D", color=CURVE, markersize=7, zorder=4, clip_on=False)
        axes.set_xlim(smallest - 0.06 * (largest - smallest + 1), largest + 0.012 * (largest - smallest + 1))
        axes.set_ylim(floor, ceiling)
        _name_outside(axes, outside, words, middle=(smallest + largest) / 2)
        if wide:
            _label_limits(axes, ordered.iloc[-1], centre, words)
        ticks = [tick / 100 for tick in range(0, 101, 10) if floor <= tick / 100 <= ceiling]
        axes.set_yticks(ticks, [words.percent(tick) for tick in ticks])
        numbers = [tick for tick in axes.get_xticks() if smallest * 0.8 <= tick <= largest * 1.05]
        numbers = numbers if wide or len(numbers) < 6 else numbers[::2]
        axes.set_xticks(numbers, [words.number(tick) for tick in numbers])
        axes.tick_params(length=0, pad=6)
        axes.grid(axis="y")
        axes.set_xlabel(words.say("figure.funnel.axis"), labelpad=6)

    svg, narrow = draw("entonnoir", paint, lambda width: 400 if width == WIDE else 330)
    return Drawing("entonnoir", svg, narrow, _funnel_alt(points, centre, horizon, words),
                   words.say("figure.funnel.caption", months=words.months(horizon)),
                   _funnel_numbers(points, horizon, words))  # fmt: skip


def _points(limits: pd.DataFrame, rates: pd.DataFrame, horizon: int) -> tuple[pd.DataFrame, float | None]:
    """The regions whose rate and limits may both be shown, and the provincial rate."""
    main = rates[rates["method"].eq("main") & rates["horizon"].eq(horizon)].set_index("group")["estimate"].dropna()
    here = limits[limits["shown"] & (limits["horizon"].eq(horizon) if "horizon" in limits else True)]
    here = here[here["group"].ne(PROVINCE) & here["group"].isin(main.index)]
    points = here.assign(estimate=here["group"].map(main), n=here["effective_n"].astype(float))
    return points.reset_index(drop=True), float(main[PROVINCE]) if PROVINCE in main.index else None


def _name_outside(axes, outside: pd.DataFrame, words: Words, *, middle: float) -> None:
    if outside.empty:
        return
    pixel = (axes.get_ylim()[1] - axes.get_ylim()[0]) / axes.get_window_extent().height
    for on_right, rows in outside.groupby(outside["n"] > middle):
        for y, (_, row) in zip(apart(rows["estimate"], 17 * pixel), rows.iterrows(), strict=True):
            axes.annotate(
                words.region(row["group"]), (row["n"], y), (-9 if on_right else 9, 0), textcoords="offset points",
                ha="right" if on_right else "left", va="center", color=INK, fontsize=SMALL, weight="bold", zorder=5,
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}, annotation_clip=False,
            )  # fmt: skip


def _label_limits(axes, last: pd.Series, centre: float, words: Words) -> None:
    """The names of the line and of the limits, at their right end."""
    wanted = [
        (centre, words.say("figure.funnel.centre", rate=words.percent(centre)), INK),
        (last["upper_95"], words.say("figure.funnel.inner"), MUTED),
        (last["upper_998"], words.say("figure.funnel.outer"), MUTED),
    ]
    pixel = (axes.get_ylim()[1] - axes.get_ylim()[0]) / axes.get_window_extent().height
    for y, (_, text, colour) in zip(apart([at for at, *_ in wanted], 18 * pixel), wanted, strict=True):
        axes.annotate(text, (axes.get_xlim()[1], y), (6, 0), textcoords="offset points", va="center", color=colour,
                      fontsize=FONT_SIZE - 1, annotation_clip=False)  # fmt: skip


def _funnel_alt(points: pd.DataFrame, centre: float, horizon: int, words: Words) -> str:
    outside = points[points["outside"]].sort_values("estimate")
    summary = words.say(
        "figure.funnel.alt", n=words.number(len(points)), months=words.months(horizon), rate=words.percent(centre),
    )  # fmt: skip
    named = [
        words.say("figure.funnel.point", name=words.region(row["group"]), rate=words.percent(row["estimate"]))
        for _, row in outside.iterrows()
    ]
    if not named:
        return " ".join((summary, words.say("figure.funnel.none_outside")))
    return " ".join((summary, words.say("figure.funnel.outside", names=words.listing(named))))


def _funnel_numbers(points: pd.DataFrame, horizon: int, words: Words) -> Markup:
    """A row a region that is drawn: its rate, how many persons it is worth, and both limits."""

    def between(row: pd.Series, name: str) -> str:
        lower, upper = (words.percent(row[f"{end}_{name}"]) for end in ("lower", "upper"))
        return words.say("from_to", lower=lower, upper=upper)

    months = words.months(horizon)
    header = [
        words.say("column.region"), words.say("column.retention_at", months=months), words.say("figure.funnel.axis"),
        words.say("figure.funnel.inner"), words.say("figure.funnel.outer"),
    ]  # fmt: skip
    rows = [
        [words.region(row["group"]), words.percent(row["estimate"]), words.number(row["n"]), between(row, "95"),
         between(row, "998")]
        for _, row in points.sort_values("group").iterrows()
    ]  # fmt: skip
    table = html_table(words.say("figure.funnel.numbers", months=months), header, rows)
    return under_figure("entonnoir", words.say("figure.numbers"), table)
