"""« Comment les départs sont connus »: a figure and its reading, for a researcher; no report shows them."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ...retention.model_input import CAUSES
from ...retention.reporting_delay import WITHIN
from ...tables import PROVINCE
from ..drawing import BOUND, CURVE, FONT_SIZE, INK, MUTED, WIDE, Drawing, draw
from ..words import Words, words

# ----------------------------------------------------------------------------------------------------
# « Comment les départs sont connus », in plain words: who finds out, how late, and who is missed.
#
# The reading of a researcher's table, which is not protected: no report shows it, and it says so.

_SOON, _LATE = 12, 24


def reading(table: pd.DataFrame, language: str = "fr") -> list[str]:
    """
    What `how_departures_become_known` found, as sentences.

    Parameters
    ----------
    table : DataFrame
        As that function returns it.
    language : str

    Returns
    -------
    list of str
        The whole first, then one sentence a group, then that this is not protected. Where too few stand behind a
        number, the sentence says “too few”.

    Examples
    --------
    >>> from trajectories.retention.reporting_delay import how_departures_become_known
    >>> from trajectories import Study
    >>> from trajectories.simulate import told_stays
    >>> table = how_departures_become_known(*told_stays(60, seed=1).tables(), study=Study(replicates=0))
    >>> print(reading(table)[0])
    Trop peu de départs connus (14) pour dire comment ils le sont.
    """
    w = words(language)
    warning = w.say("hearing.warning")
    if table.empty:
        return [w.say("hearing.nobody"), warning]
    provincial = table[table["group"].eq(PROVINCE)]
    sentences = [_known_by(provincial, w), _how_late(provincial, w), *_hearing(provincial, w), _failure(provincial, w)]
    for name, rows in table[~table["group"].eq(PROVINCE)].groupby("group", sort=False):
        sentences.append(_group(str(name), rows, w))
    return [*filter(None, sentences), warning]


def group_label(name: str, w: Words) -> str:
    """The name of a group: a region's, a kind of organisation's, else as it is."""
    return w.region(name) if w.has(f"region.{name}") else w.label("hearing_of", name)


def value(rows: pd.DataFrame, measure: str, of: str, **which) -> pd.Series | None:
    """The row of one number, or None where there is none."""
    matches = rows[rows["measure"].eq(measure) & rows["of"].eq(of)]
    for column, wanted in which.items():
        matches = matches[matches[column].eq(wanted)]
    matches = matches.dropna(subset=["estimate"])
    return matches.iloc[0] if len(matches) else None


def _hundred(w: Words) -> Callable[[float], str]:
    return lambda share: w.number(round(100 * share))


def _limits(row: pd.Series, w: Words) -> str:
    """What follows a number that has limits; nothing after one that has none."""
    of = _hundred(w)
    if pd.isna(row["lower"]):
        return ""
    return " " + w.say("hearing.limits", lower=of(row["lower"]), upper=of(row["upper"]))


def _known_by(rows: pd.DataFrame, w: Words) -> str:
    of = _hundred(w)
    known_by = {name: value(rows, "known_by", name) for name in ("contact", "region", "elsewhere", "never")}
    if known_by["never"] is None:
        n = rows.loc[rows["measure"].eq("known_by"), "n"].max()
        return w.say("hearing.too_few", n=w.number(n))
    shares = {name: of(row["estimate"]) for name, row in known_by.items()}
    return w.say("hearing.known_by", limits=_limits(known_by["never"], w), **shares)


def _how_late(rows: pd.DataFrame, w: Words) -> str | None:
    late = value(rows, "months_to_known", "known")
    return None if late is None else w.say("hearing.half", months=w.months(max(round(late["estimate"]), 1)))


def _hearing(rows: pd.DataFrame, w: Words) -> list[str]:
    of = _hundred(w)
    soon = {c: value(rows, "heard", c, month=_SOON) for c in CAUSES}
    estimated = {c: row for c, row in soon.items() if row is not None}
    few = [w.label("exit_to", c) for c, row in soon.items() if row is None]
    sentences = []
    if estimated:
        shares = [
            w.say("hearing.share", share=w.percent(row["estimate"]), destination=w.label("exit_to", c))
            for c, row in estimated.items()
        ]
        sentences.append(w.say("hearing.heard", months=w.months(_SOON), shares=w.listing(shares)))
    late = {c: row for c in estimated if (row := value(rows, "heard", c, month=_LATE)) is not None}
    if len(late) > 1:
        least = min(late, key=lambda c: late[c]["estimate"])
        values = {"n": of(late[least]["estimate"]), "limits": _limits(late[least], w)}
        sentences.append(w.say("hearing.least", destination=w.label("exit_to", least), **values))
    if few:
        sentences.append(w.say("hearing.few_found", destinations=w.listing(few)))
    return sentences


def _failure(rows: pd.DataFrame, w: Words) -> str:
    of = _hundred(w)
    there, gone = (value(rows, "contact_failure", name, previous_failed=False) for name in ("there", "gone"))
    if there is None or gone is None:
        return w.say("hearing.few_contacts")
    values = {"there": of(there["estimate"]), "gone": of(gone["estimate"]), "limits": _limits(gone, w)}
    there, gone = (value(rows, "contact_failure", name, previous_failed=True) for name in ("there", "gone"))
    if there is None or gone is None:
        return w.say("hearing.contacts", **values)
    return w.say("hearing.contacts_again", again=of(there["estimate"]), gone_again=of(gone["estimate"]), **values)


def _group(name: str, rows: pd.DataFrame, w: Words) -> str:
    of, label = _hundred(w), group_label(name, w)
    there, gone = (value(rows, "contact_failure", p, previous_failed=False) for p in ("there", "gone"))
    never = value(rows, "known_by", "never")
    parts = []
    if there is not None and gone is not None:
        parts.append(w.say("hearing.group_contacts", there=of(there["estimate"]), gone=of(gone["estimate"])))
    if never is not None:
        lent = rows["reporting"].eq("borrowed").any()
        parts.append(w.say("hearing.group_never_lent" if lent else "hearing.group_never", n=of(never["estimate"])))
    if not parts:
        n = rows.loc[rows["measure"].eq("known_by"), "n"].max()
        return w.say("hearing.group_few", group=label, n=w.number(n))
    return w.say("hearing.group", group=label, said="; ".join(parts))


# ----------------------------------------------------------------------------------------------------
# The figure « comment les départs sont connus »: who is heard of by when, and beside it which contacts fail.
#
# A researcher's figure, from a table that is not protected: no report shows it.

_MARKS = {CAUSES[0]: ("o", CURVE, "-"), CAUSES[1]: ("s", "#5b87b5", "-"), CAUSES[2]: ("D", BOUND, (0, (4, 2)))}
# Presence, and whether the contact before failed: the bars, from the top.
_STATES = {"there": ("there", False), "there_again": ("there", True), "gone": ("gone", False),
           "gone_again": ("gone", True)}  # fmt: skip
_LINE = 19  # pixels between two labels that would stand on one another


def departures_known(table: pd.DataFrame, group: str = PROVINCE, language: str = "fr") -> Drawing | None:
    """
    The share of departures heard of by month since the exit, by destination, and the failure of contacts beside it.

    Parameters
    ----------
    table : DataFrame
        As `how_departures_become_known` returns it.
    group : str
        Which group of it.
    language : str

    Returns
    -------
    Drawing or None
        `.svg` for a notebook; None where neither can be shown.
    """
    rows = table[table["group"].eq(group)]
    if rows[rows["measure"].isin(["heard", "contact_failure"])]["estimate"].isna().all():
        return None
    w = words(language)
    left, right = 330, 300

    def height(width: int) -> int:
        return left if width == WIDE else left + right

    def paint(figure, width: int) -> None:
        total = figure.get_figheight() * 72
        if width == WIDE:
            boxes = (46, 44, 236, left - 84), (458, 44, 216, left - 84)
        else:
            boxes = (46, right + 44, 150, left - 84), (12, 10, 256, right - 60)
        heard, fails = (
            figure.add_axes((x / width, y / total, wide / width, tall / total)) for x, y, wide, tall in boxes
        )
        _paint_heard(heard, rows, w)
        _paint_failure(fails, rows, w)

    svg, narrow = draw("ecoute", paint, height)
    alt = " ".join(reading(rows.assign(group=PROVINCE), language)[:-1])
    return Drawing("ecoute", svg, narrow, alt, w.say("hearing.warning"), protected=False)


def _paint_heard(axes, rows: pd.DataFrame, w: Words) -> None:
    ends, few = [], []
    for position, cause in enumerate(CAUSES):
        mark, colour, style = _MARKS[cause]
        points = [(m, row) for m in WITHIN if (row := value(rows, "heard", cause, month=m)) is not None]
        if not points:
            few.append(w.label("exit", cause))
            continue
        months, shares = [m for m, _ in points], [row["estimate"] for _, row in points]
        for month, row in points:
            if not pd.isna(row["lower"]):
                # limits of one month stand side by side
                at = month + 0.3 * (position - 1)
                axes.plot([at] * 2, [row["lower"], row["upper"]], color=colour, linewidth=1.4, alpha=0.6)
        axes.plot([0, *months], [0, *shares], color=colour, linestyle=style, linewidth=2)
        axes.plot(months, shares, mark, color=colour, markersize=6, clip_on=False, zorder=4)
        ends.append((shares[-1], months[-1], w.label("exit", cause), colour))
    axes.set_xlim(0, WITHIN[-1] + 0.5)
    axes.set_ylim(0, 1)
    pixel = 1 / (axes.get_position().height * axes.figure.get_figheight() * 72)
    # labels stand beside the ends of the lines, pushed apart where they would cover one another
    low = -1.0
    for share, month, label, colour in sorted(ends):
        at = max(share, low + _LINE * pixel)
        low = at
        axes.annotate(
            label, (month, share), (WITHIN[-1] + 1.5, at), textcoords="data", va="center", color=colour, weight="bold",
            annotation_clip=False, fontsize=FONT_SIZE - 1,
        )  # fmt: skip
    if few:
        text = "\n".join(w.say("hearing.few_of", name=label) for label in few)
        axes.text(0.8, 0.97, text, color=MUTED, fontsize=FONT_SIZE - 1, va="top")
    axes.set_xticks([0, *WITHIN[1:]])
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], [w.percent(x) for x in (0, 0.25, 0.5, 0.75, 1)])
    axes.grid(axis="y")
    axes.tick_params(length=0, pad=6)
    axes.set_xlabel(w.say("hearing.axis"))
    axes.set_title(w.say("hearing.title_heard"), loc="left", fontsize=FONT_SIZE, weight="bold", pad=12)


def _paint_failure(axes, rows: pd.DataFrame, w: Words) -> None:
    for y, (state, (presence, previous)) in enumerate(_STATES.items()):
        row = value(rows, "contact_failure", presence, previous_failed=previous)
        axes.text(0, y - 0.36, w.label("hearing_state", state), va="center", color=INK, fontsize=FONT_SIZE - 1)
        if row is None:
            axes.text(0, y + 0.06, w.say("hearing.few"), va="center", color=MUTED, fontsize=FONT_SIZE - 1)
            continue
        axes.barh(y + 0.06, row["estimate"], height=0.4, color=CURVE if presence == "gone" else BOUND)
        end = row["estimate"]
        if not pd.isna(row["lower"]):
            axes.plot([row["lower"], row["upper"]], [y + 0.34] * 2, color=INK, linewidth=1.4)
            end = max(end, row["upper"])
        axes.annotate(
            w.percent(row["estimate"]), (end, y + 0.06), (6, 0), textcoords="offset points", va="center", color=INK,
            annotation_clip=False,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(len(_STATES) - 0.45, -0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_title(w.say("hearing.title_failed"), loc="left", fontsize=FONT_SIZE, weight="bold", pad=12)
