"""Groups against the one they are held against, persons alike: differences in retention with their limits.

Left of the middle fewer stay than in the reference, right of it more. The square is the answer with persons alike (by
weights), the ring the difference as it stands; where the model of leaving says something else, it has a line of its
own. A difference is an association, and the caption says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from ..drawing import Drawing
from ..inputs import frame_of
from ..markup import Markup, element, join
from ..protected import PLACES
from ..readings import level_name
from ..words import Words
from .intervals import HEAD, LEVEL, REFERENCE, Line, draw_intervals

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
    told = rows[rows["method"].eq(WEIGHTED) & rows["estimate"].notna()]
    if told.empty:
        return None
    ends = told[["lower", "upper"]].abs().to_numpy(dtype=float)
    reach = float(min(max(0.05, ends.max() * 1.06), 0.4))
    step = next(step for step in (0.02, 0.05, 0.1, 0.2) if reach / step < 5)
    whole = math.floor(reach / step + 1e-9)
    ticks = {k * step: words.signed(100 * k * step) for k in range(-whole, whole + 1)}
    svg, narrow = draw_intervals(
        name, _lines(rows, by, words), reach=reach, ticks=ticks,
        ways=(words.say("figure.differences.fewer"), words.say("figure.differences.more")),
    )  # fmt: skip
    months = words.months(horizon)
    farthest = told.loc[told["estimate"].abs().sort_values(ascending=False).index].head(2)
    numbers = [f"{group_name(row['by'], row['group'], words)}, {difference_text(row, words)}"
               for _, row in farthest.iterrows()]  # fmt: skip
    alt = words.say(
        "figure.differences.alt", months=months, n=words.say_many("figure.differences.groups", len(told)),
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
        return _untold(row, words)
    at, lower, upper = _told(row, words)
    return words.say("figure.differences.limits", at=at, lower=lower, upper=upper)


def difference_cell(row: pd.Series, words: Words) -> Markup:
    """The same in a cell of a table: the limits under the difference."""
    if pd.isna(row["estimate"]):
        return join(_untold(row, words))
    at, lower, upper = _told(row, words)
    return join(at, element("span", words.say("between", lower=lower, upper=upper), class_="limits"))


def _untold(row: pd.Series, words: Words) -> str:
    return words.say("insufficient" if row["reason"] in ("insufficient", "at_risk") else "hidden")


def _told(row: pd.Series, words: Words) -> list[str]:
    unit, decimals = (1, 1) if row["measure"] == MONTHS else (100, 0)
    return [words.signed(unit * row[name], decimals) for name in ("estimate", "lower", "upper")]


def _lines(rows: pd.DataFrame, by: Sequence[str], words: Words) -> list[Line]:
    lines: list[Line] = []
    for one in by:
        mine = rows[rows["by"].eq(one)]
        if mine["estimate"].isna().all():
            continue
        lines.append(Line(HEAD, words.label("compared", one)))
        reference = mine["reference"].iloc[0]
        lines.append(Line(REFERENCE, group_name(one, reference, words), words.say("figure.forest.reference")))
        for group, answers in mine.groupby("group", sort=False):
            of = {method: row for method, (_, row) in zip(answers["method"], answers.iterrows(), strict=True)}
            name = group_name(one, group, words)
            plain = of[UNADJUSTED]["estimate"] if UNADJUSTED in of else math.nan
            for method in (WEIGHTED, G_COMPUTATION):
                row = of.get(method)
                if row is None or (method == G_COMPUTATION and not row["disagree"]):
                    continue
                said = name if method == WEIGHTED else words.say("figure.differences.model", name=name)
                ring = float(plain) if method == WEIGHTED and pd.notna(plain) else None
                lines.append(Line(LEVEL, said, difference_text(row, words), _ends(row), ring))
    return lines


def _ends(row: pd.Series) -> tuple[float, float, float] | None:
    if pd.isna(row["estimate"]):
        return None
    return float(row["lower"]), float(row["estimate"]), float(row["upper"])
