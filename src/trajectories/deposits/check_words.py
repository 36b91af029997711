"""The report of `check` in words: in a terminal (`check.txt.j2`), and as a page of its own (`check.html.j2`)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from .check import Checked, Problem, shown
from .dictionary import french
from .rules import EFFECTS

# References and values written out for one problem; what is left is counted.
_LISTED = 25


def as_text(files: Sequence[Checked], *, show_values: bool = False) -> str:
    """The report for a terminal, in French."""
    return _rendered("check.txt.j2", files, show_values).strip("\n") + "\n"


def as_page(files: Sequence[Checked], *, show_values: bool = False) -> str:
    """The report as one HTML page that needs nothing else: no script, every text escaped."""
    return _rendered("check.html.j2", files, show_values)


def _rendered(template: str, files: Sequence[Checked], show_values: bool) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=template.endswith(".html.j2"), trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )  # the page is escaped; a terminal has no markup
    environment.filters |= {"where": where, "effect": _effect, "typed": _typed, "shown": shown}
    environment.filters |= {"number": _number, "counted": _counted}
    text = resources.files(__package__).joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(files=files, show_values=show_values)


def _number(n: int) -> str:
    return f"{n:,}".replace(",", "\u00a0")


def _counted(n: int, one: str, many: str | None = None) -> str:
    return f"{_number(n)} {one if n < 2 else many or f'{one}s'}"


def where(problem: Problem) -> str:
    """The cells, rows or sheet of a problem, in French."""
    words = french("where")
    parts = [words["sheet"].format(sheet=problem.sheet)] if problem.sheet else []
    if problem.letter:
        column = words["column" if problem.header else "letter"]
        parts.append(column.format(letter=problem.letter, header=problem.header))
    elif problem.column and not problem.rows:
        parts.append(words["name"].format(column=problem.column))
    if problem.rows:
        references = problem.references
        listed = ", ".join(references[:_LISTED])
        if len(references) > _LISTED:
            listed += words["more"].format(n=_number(len(references) - _LISTED))
        noun = ("cell" if problem.letter else "row") + ("s" if len(problem.rows) > 1 else "")
        parts.append(words[noun].format(n=_number(len(problem.rows)), references=listed))
    return ", ".join(parts) or words["file"]


def _effect(problem: Problem) -> str:
    return EFFECTS[problem.reason.effect][0]


def _typed(problem: Problem) -> list[tuple[str, str, str | None]]:
    cells = zip(problem.rows, problem.values, problem.closest, strict=True)
    return [(f"{problem.letter}{row}", value, close) for row, value, close in cells if problem.letter and value][
        :_LISTED
    ]
