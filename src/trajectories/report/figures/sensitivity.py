"""What the estimate becomes when something is moved: along a scale of one assumption, or at another setting.

Along a scale: a line a horizon, the study's own assumption marked. By setting: a dot each, about the study's own rate.
Both from protected tables (disclosure/rates.py): dots are told by whole steps, lines in whole percents.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from markupsafe import Markup

from ...tables import PROVINCE
from ..drawing import BOUND, CURVE, FONT_SIZE, INK, MUTED, RULE, SMALL, WIDE, Drawing, apart, broken, draw
from ..inputs import frame_of
from ..markup import html_table, under_figure
from ..readings import HEADLINE_HORIZON, factor_text
from ..words import Words

OWN = "study"
_ROW, _ROW_NARROW, _HEAD, _AXIS, _TOP = 25, 44, 30, 34, 26
_VEIL = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
_STYLES = ("-", (0, (4, 1.6)), (0, (1.3, 1.3)))


def rates_along_scale(scale, *, region: str, words: Words, horizons=(HEADLINE_HORIZON, 24)) -> Drawing | None:
    """
    The rate against what one assumption of the observation model is moved to: a panel an assumption.

    Parameters
    ----------
    scale : Protected
        Rates along a scale (`odds_curve`), of one group.
    region : str
    words : Words
    horizons : sequence of int
        Months: at most three lines a panel.

    Returns
    -------
    Drawing or None
        None where no curve may be shown.
    """
    rows = frame_of(scale)
    rows = rows[rows["horizon"].isin(horizons) & rows["estimate"].notna()].sort_values("value")
    panels = list(dict.fromkeys(rows.sort_values("assumption")["assumption"]))
    if not panels:
        return None
    floor = max(0.0, math.floor(10 * rows["estimate"].min() - 0.5) / 10)
    ceiling = min(1.0, math.ceil(10 * rows["estimate"].max() + 0.5) / 10)
    side = 300

    def height(width: int) -> int:
        return side if width == WIDE else side * len(panels)

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        columns = len(panels) if wide else 1
        panel_width = width / columns
        left, right = 46, 84
        for position, assumption in enumerate(panels):
            x = position * panel_width + left if wide else left
            y = 74 if wide else total - (position + 1) * side + 74
            box = (x / width, y / total, (panel_width - left - right) / width, (side - 74 - 46) / total)
            axes = figure.add_axes(box)
            of_assumption = rows[rows["assumption"].eq(assumption)]
            values = np.log2(of_assumption["value"].astype(float))
            span = max(values.max() - values.min(), 1.0)
            axes.set_xlim(values.min() - 0.03 * span, values.max() + 0.03 * span)
            axes.set_ylim(floor, ceiling)
            axes.set_title(broken(words.label("assumption", assumption), panel_width - 20, FONT_SIZE, bold=True), x=0,
                           loc="left", fontsize=FONT_SIZE, weight="bold", pad=12, linespacing=1.1)  # fmt: skip
            _lines(axes, of_assumption, words, side - 120)
            axes.axvline(0, color=INK, linewidth=1.0, linestyle=(0, (1.5, 1.5)))
            shown = [v for v in (-3, -2, -1, 0, 1, 2, 3) if values.min() - 0.01 <= v <= values.max() + 0.01]
            axes.set_xticks(shown, [_tick(v, of_assumption, words) for v in shown])
            ticks = [t / 100 for t in range(0, 101, 10) if floor - 1e-9 <= t / 100 <= ceiling + 1e-9]
            axes.set_yticks(ticks, [words.percent(t) for t in ticks])
            axes.tick_params(length=0, pad=6, labelsize=SMALL)
            axes.grid(axis="y")
            axes.set_xlabel(broken(words.label("assumption_axis", assumption), panel_width - 30, SMALL), fontsize=SMALL,
                            labelpad=5)  # fmt: skip

    svg, narrow = draw("hypotheses", paint, height)
    return Drawing("hypotheses", svg, narrow, _scale_alt(rows, panels, region, words),
                   words.say("figure.scale.caption"), _scale_numbers(rows, panels, words))  # fmt: skip


def rates_by_setting(
    settings, *, words: Words, horizon: int = HEADLINE_HORIZON, group: str = PROVINCE
) -> Drawing | None:
    """
    The rate at each other setting of the study, a dot each, about the study's own.

    Parameters
    ----------
    settings : Protected
        Rates by setting (`panel`).
    words : Words
    horizon : int
        Months.
    group : str

    Returns
    -------
    Drawing or None
        None where the study's own rate, or every other, is hidden.
    """
    rows = frame_of(settings)
    rows = rows[rows["horizon"].eq(horizon) & rows["group"].eq(group)]
    own = rows[rows["setting"].eq(OWN)]["estimate"].dropna()
    others = rows[rows["setting"].ne(OWN)]
    if own.empty or others["estimate"].isna().all():
        return None
    centre = float(own.iloc[0])
    lines: list[tuple[str, pd.Series | None]] = []
    for setting in dict.fromkeys(others["setting"]):
        lines.append((words.label("setting", setting), None))
        lines += [(value_name(row, words), row) for _, row in others[others["setting"].eq(setting)].iterrows()]
    rates = others["estimate"].dropna()
    reach = max(float((rates - centre).abs().max()) * 1.25, 0.05)

    def heights(width: int) -> list[int]:
        return [_HEAD if row is None else _ROW if width == WIDE else _ROW_NARROW for _, row in lines]

    def paint(figure, width: int) -> None:
        wide, total = width == WIDE, figure.get_figheight() * 72
        tall = total - _TOP - _AXIS
        left, right = (290, 60) if wide else (16, 16)
        axes = figure.add_axes((left / width, _AXIS / total, (width - left - right) / width, tall / total))
        axes.set_xlim(max(0, centre - reach), min(1, centre + reach))
        axes.set_ylim(tall, 0)
        axes.axvline(centre, color=INK, linewidth=1.2)
        axes.annotate(
            words.say("figure.settings.own", rate=words.percent(centre)), (centre, 0), (0, 12), va="center",
            ha="center", textcoords="offset points", color=INK, weight="bold", annotation_clip=False,
        )  # fmt: skip
        y = 0.0
        letters = {
            "xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False,
            "va": "center", "fontsize": FONT_SIZE if wide else SMALL,
            # on a telephone labels lie over the line of the study
            "bbox": None if wide else {"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        }  # fmt: skip
        for (name, row), step in zip(lines, heights(width), strict=True):
            if row is None:
                axes.annotate(name, (0, y + step - 11), (2 - left, 0), weight="bold", color=INK, **letters)
            else:
                _dot(axes, row, y + (step / 2 if wide else 32), centre)
                at = y + (step / 2 if wide else 13)
                rates = pd.notna(row["estimate"])
                label = broken(name, left - 22) if wide else broken(name, width - 80, SMALL)
                axes.annotate(label, (0, at), (14 - left, 0), color=INK, linespacing=1.0, **letters)
                rate = words.percent(row["estimate"]) if rates else words.say("hidden")
                axes.annotate(rate, (1, at), (right - 2, 0), ha="right", color=INK if rates else MUTED, **letters)
            y += step
        low, high = axes.get_xlim()
        every = 0.05 if high - low <= 0.35 else 0.1
        ticks = [t for t in np.round(np.arange(0, 1.001, every), 2) if low <= t <= high]
        ticks = ticks if wide or len(ticks) < 4 else ticks[::2]
        axes.set_xticks(ticks, [words.percent(t) for t in ticks])
        axes.set_yticks([])
        axes.tick_params(length=0, pad=6)
        axes.spines["left"].set_visible(False)

    svg, narrow = draw("reglages", paint, lambda width: _TOP + sum(heights(width)) + _AXIS)
    alt = words.say(
        "figure.settings.alt", months=words.months(horizon), rate=words.percent(centre), low=words.percent(rates.min()),
        high=words.percent(rates.max()), settings=words.say_many("figure.settings.count", len(rates)),
    )  # fmt: skip
    return Drawing("reglages", svg, narrow, alt, words.say(
        "figure.settings.caption", months=words.months(horizon), step=words.percent(own_step(rows))
    ), _settings_numbers(lines, centre, words.months(horizon), words))  # fmt: skip


def _tick(power: int, rates: pd.DataFrame, words: Words) -> str:
    """How many times the odds, and where it is told the share of departures heard of that this comes to."""
    text = factor_text(power, words) if power else words.say("figure.moved.study")
    heard = rates["share_heard"].astype(float)
    if heard.nunique() < 2:
        return text
    at = heard[np.isclose(np.log2(rates["value"].astype(float)), power)].dropna()
    return f"{text}\n{words.percent(at.iloc[0])}" if len(at) else text


def _dot(axes, row: pd.Series, at: float, centre: float) -> None:
    axes.plot([0, 1], [at, at], color=RULE, linewidth=0.6, transform=axes.get_yaxis_transform())
    if pd.notna(row["estimate"]):
        axes.plot([centre, row["estimate"]], [at, at], color=BOUND, linewidth=2.2)
        axes.plot(row["estimate"], at, "o", color=CURVE, markersize=7, zorder=3)


def own_step(rows: pd.DataFrame) -> float:
    """The step by which the rates of other settings are told."""
    return float(rows.loc[rows["estimate"].notna(), "step"].max())


def value_name(row: pd.Series, words: Words) -> str:
    """The value of a setting in words: a perimeter, a scope, a method, days, or the value itself."""
    value = row["value"]
    for family in ("perimeter", "scope", "method"):
        if words.has(f"{family}.{value}"):
            return words.label(family, value)
    if words.has(f"setting_value.{row['setting']}"):
        number = pd.to_numeric(str(value).removeprefix("draw "), errors="coerce")
        text = str(value) if pd.isna(number) else words.number(number, _decimals(float(number)))
        return words.say(f"setting_value.{row['setting']}", value=text)
    return words.label("setting_value", value)


def _decimals(number: float) -> int:
    return next((places for places in range(3) if round(number, places) == number), 3)


def _lines(axes, rates: pd.DataFrame, words: Words, tall: float) -> None:
    horizons = sorted(rates["horizon"].unique())
    ends = []
    for style, horizon in zip(_STYLES, horizons, strict=False):
        line = rates[rates["horizon"].eq(horizon)]
        at = np.log2(line["value"].astype(float))
        axes.plot(at, line["estimate"], color=CURVE, linewidth=2.2, linestyle=style)
        own = line[line["unmoved"].astype(bool)]
        axes.plot(np.log2(own["value"].astype(float)), own["estimate"], "o", color=CURVE, markeredgecolor="white",
                  markersize=8, zorder=4)  # fmt: skip
        rises = line["estimate"].iloc[-1] > line["estimate"].iloc[0]
        for _, row in own.iterrows():
            axes.annotate(
                words.percent(row["estimate"]), (0, row["estimate"]), (-7 if rises else 7, 7),
                textcoords="offset points", ha="right" if rises else "left", color=INK,
                weight="bold", fontsize=SMALL, bbox=_VEIL,
            )  # fmt: skip
        ends.append((line["estimate"].iloc[-1], horizon))
    low, high = axes.get_ylim()
    for y, (_, horizon) in zip(apart([e for e, _ in ends], 17 * (high - low) / tall), ends, strict=True):
        axes.annotate(words.say("figure.scale.line", months=words.months(horizon)), (1, y), (6, 0),
                      xycoords=("axes fraction", "data"), textcoords="offset points", va="center", color=INK,
                      fontsize=SMALL, annotation_clip=False)  # fmt: skip


def _scale_alt(rows: pd.DataFrame, panels: list[str], region: str, words: Words) -> str:
    sentences = [words.say("figure.scale.alt", place=words.in_region(region))]
    for assumption in panels:
        rates = rows[rows["assumption"].eq(assumption)]
        at = rates["horizon"].min()  # a horizon may be shown along one scale and not along the other
        rates = rates[rates["horizon"].eq(at)]
        sentences.append(words.say(
            "figure.scale.ends", name=words.label("assumption", assumption), months=words.months(at),
            first=words.percent(rates["estimate"].iloc[0]), last=words.percent(rates["estimate"].iloc[-1]),
        ))  # fmt: skip
    return " ".join(sentences)


def _scale_numbers(rows: pd.DataFrame, panels: list[str], words: Words) -> Markup:
    """A row a value of an assumption that the axis names, a column a horizon."""
    horizons = sorted(rows["horizon"].unique())
    lines = []
    for assumption in panels:
        rates = rows[rows["assumption"].eq(assumption)]
        for value in rates["value"].unique():
            power = np.log2(float(value))
            at = rates[rates["value"].eq(value)].set_index("horizon")["estimate"]
            name = words.say("level.of_trait", trait=words.label("assumption", assumption),
                             level=_tick(power, rates, words).replace("\n", ", "))  # fmt: skip
            lines.append([name, *(words.percent(at[h]) if h in at else words.say("hidden") for h in horizons)])
    header = [
        words.say("column.assumption"),
        *(words.say("column.retention_at", months=words.months(h)) for h in horizons),
    ]
    table = html_table(words.say("figure.scale.numbers"), header, lines)
    return under_figure("hypotheses", words.say("figure.numbers"), table)


def _settings_numbers(lines: list, centre: float, months: str, words: Words) -> Markup:
    """A row a value of a setting, after the study's own."""
    rows, setting = [[words.say("figure.moved.study"), words.percent(centre)]], ""
    for name, row in lines:
        if row is None:
            setting = name
            continue
        rate = words.percent(row["estimate"]) if pd.notna(row["estimate"]) else words.say("hidden")
        rows.append([words.say("level.of_trait", trait=setting, level=name), rate])
    header = [words.say("column.setting"), words.say("column.retention_at", months=months)]
    table = html_table(words.say("figure.settings.numbers", months=months), header, rows)
    return under_figure("reglages", words.say("figure.numbers"), table)
