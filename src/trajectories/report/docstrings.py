"""What the code says of a method: its docstrings, read from the source, as the method page shows them.

They are read, not imported: importing scipy or statsmodels for a sentence would cost seconds. Of a numpydoc docstring
the page keeps what a reader of results needs: the summary and what follows it, « Notes », « References »; not how to
call it. A module's docstring is kept whole.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator

from markupsafe import Markup

from ..fingerprint import PACKAGE
from .markup import element, join

# Sections that tell a programmer how to call a function.
_FOR_CALLERS = frozenset(
    ("Parameters", "Returns", "Yields", "Raises", "Attributes", "Examples", "Warns", "See Also", "Other Parameters")
)
_SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", re.MULTILINE)
_BULLET, _NUMBER = re.compile(r"^- "), re.compile(r"^\d+\. ")
_MARKED = re.compile(r"``(?P<long>.+?)``|`(?P<code>[^`]+)`|(?<![\w*])\*{1,2}(?P<strong>[^\s*][^*]*)\*{1,2}(?![\w*])")


def docstring(target: str) -> str:
    """
    The docstring of a module, `cohort.py`, or of what is defined in it, `cohort.py:build_cohort`.

    Raises
    ------
    LookupError
        There is no such thing in the code, or it has no docstring.

    Examples
    --------
    >>> docstring("survival/kaplan_meier.py:kaplan_meier").splitlines()[0]
    'Kaplan–Meier survival and Nelson–Aalen cumulative hazard.'
    """
    path, _, name = target.partition(":")
    node = _parsed(path)
    if name:
        node = next((one for one in node.body if getattr(one, "name", None) == name), None)
    text = node and ast.get_docstring(node)
    if not text:
        raise LookupError(f"{target}: no such docstring in the code.")
    return text


def dotted(target: str) -> str:
    """
    The name by which Python knows it.

    Examples
    --------
    >>> dotted("survival/bootstrap.py:bootstrap"), dotted("deposits/__init__.py")
    ('trajectories.survival.bootstrap.bootstrap', 'trajectories.deposits')
    """
    path, _, name = target.partition(":")
    parts = [PACKAGE.name, *path.removesuffix(".py").split("/"), name]
    return ".".join(part for part in parts if part and part != "__init__")


def told(target: str) -> list[tuple[str | None, str]]:
    """
    The parts of a docstring that the page shows: name of the section (None for the beginning) and text.

    Examples
    --------
    >>> [name for name, _ in told("persons/__init__.py:link_persons")]
    [None, 'Notes', 'References']
    """
    start, *rest = _SECTION.split(docstring(target))
    parts = [(None, start.strip())]
    parts += [
        (name, text.strip()) for name, text in zip(rest[::2], rest[1::2], strict=True) if name not in _FOR_CALLERS
    ]
    return parts


def as_html(text: str) -> Markup:
    """
    Paragraphs, lists, code and emphasis of a docstring's text.

    Examples
    --------
    >>> as_html("Of `stays`:\\n\\n- *one*,\\n  long\\n- two")
    Markup('<p>Of <code>stays</code>:</p><ul><li><em>one</em>, long</li><li>two</li></ul>')
    """
    return join(*(_block(block) for block in re.split(r"\n\s*\n", text.strip())))


def _block(block: str) -> Markup:
    for first, name in ((_BULLET, "ul"), (_NUMBER, "ol")):
        items = list(_items(block, first))
        if items[1:] or first.match(block):
            before, listed = items[0], items[1:]
            return join(
                element("p", inline(before)) if before else None,
                element(name, *(element("li", inline(item)) for item in listed)),
            )
    return element("p", inline(" ".join(block.split())))


def _items(block: str, first: re.Pattern) -> Iterator[str]:
    """What stands before the list, then each of its items, on one line."""
    current: list[str] = []
    for line in block.split("\n"):
        if first.match(line):
            yield " ".join(" ".join(current).split())
            current = [first.sub("", line)]
        else:
            current.append(line)
    yield " ".join(" ".join(current).split())


def inline(text: str) -> Markup:
    """Code and emphasis of a line."""
    parts, at = [], 0
    for found in _MARKED.finditer(text):
        code = found["long"] or found["code"]
        parts += [text[at : found.start()], element("code", code) if code else element("em", found["strong"])]
        at = found.end()
    return join(*parts, text[at:])


@functools.cache
def _parsed(path: str) -> ast.Module:
    try:
        return ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LookupError(f"{path}: no such module in the code.") from None
