"""The forest plot of a model: a hazard ratio with its limits on every line, grouped by covariate.

The scale is one of ratios: half and twice lie as far from 1. Left of 1, one stays longer than the reference; right of
it, one leaves sooner. The reference of each covariate is said on its own line. A ratio that may not be shown keeps its
line, and says « masqué ». An association is no cause, and the caption says so.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from markupsafe import Markup

from ..drawing import Drawing
from ..inputs import frame_of
from ..readings import level_name
from ..tables import html_table, under_figure
from ..words import Words
from .intervals import HEAD, LEVEL, REFERENCE, Line, draw_intervals

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
    told = rows.dropna(subset=["hazard_ratio"])
    ends = told[["hazard_ratio", "lower", "upper"]].to_numpy(dtype=float)
    # one scale for all the drawings
    reach = float(np.clip(np.nanmax(np.abs(np.log(ends[ends > 0]))) * 1.08, math.log(2), math.log(16)))
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if abs(math.log(tick)) <= reach]
    found = []
    for terms in _dealt(rows, most):
        part = rows[rows["term"].isin(terms)]
        name = f"rapports-{len(found) + 1}" if found else "rapports"
        lines = _lines(part, references or {}, words)
        svg, narrow = draw_intervals(
            name, lines, reach=reach, ticks={math.log(tick): _ratio_text(tick, words) for tick in ticks},
            ways=(words.say("figure.forest.stays"), words.say("figure.forest.leaves")),
        )  # fmt: skip
        alt = _alt(part, part.dropna(subset=["hazard_ratio"]), words)
        found.append(
            Drawing(name, svg, narrow, alt, words.say("figure.forest.caption"), _table(name, lines, found, words))
        )
    return found


def _dealt(rows: pd.DataFrame, most: float) -> list[list[str]]:
    """The covariates of each drawing, in their order: about as many lines in each, and some ratio."""
    # of a covariate its name, its reference and its levels
    lines = rows.groupby("term", sort=False).size() + 2
    number = math.ceil(lines.sum() / most) if math.isfinite(most) else 1
    place = ((lines.cumsum() - lines / 2) * number / lines.sum()).astype(int)
    dealt = [list(part.index) for _, part in lines.groupby(place, sort=True)]
    told = set(rows.loc[rows["hazard_ratio"].notna(), "term"])
    return dealt if all(told & set(terms) for terms in dealt) else [list(lines.index)]


def _lines(rows: pd.DataFrame, references: dict[str, str], words: Words) -> list[Line]:
    """A covariate, its reference, its levels; a number (age) is one line under its own name."""
    lines: list[Line] = []
    for term in dict.fromkeys(rows["term"]):
        mine = rows[rows["term"].eq(term)]
        lines.append(Line(HEAD, words.label("covariate", term)))
        given = mine["reference"].dropna() if "reference" in mine else pd.Series(dtype=object)
        reference = references.get(term) or (given.iloc[0] if len(given) else None)
        if reference is not None:
            lines.append(Line(REFERENCE, level_name(term, reference, words), words.say("figure.forest.reference")))
        for _, row in mine.iterrows():
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


def _alt(rows: pd.DataFrame, told: pd.DataFrame, words: Words) -> str:
    farthest = told.loc[np.log(told["hazard_ratio"].astype(float)).abs().sort_values(ascending=False).index].head(2)
    numbers = []
    for _, row in farthest.iterrows():
        term = words.label("covariate", row["term"])
        name = term if pd.isna(row["level"]) else words.say(
            "level.of_trait", trait=term, level=level_name(row["term"], row["level"], words)
        )  # fmt: skip
        numbers.append(f"{name}, {_numbers(row, words)}")
    return words.say(
        "figure.forest.alt", model=words.label("model", rows["model"].iloc[0]),
        ratios=words.say_many("figure.forest.ratios", len(told)), numbers="; ".join(numbers),
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
