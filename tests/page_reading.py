"""Reading a page as a person does, for the tests of the reports: its text, its tables; and the notebook behind it."""

from __future__ import annotations

import io
import re
import zipfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import nbformat


def notebook(*fragments, extra=()):
    """A notebook whose cells show fragments, as a kernel would leave them."""
    cells = []
    for fragment in fragments:
        data, metadata = fragment._repr_mimebundle_()
        output = nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)
        cells.append(nbformat.v4.new_code_cell("secret = 1", outputs=[output], execution_count=1))
    return nbformat.v4.new_notebook(cells=[*cells, *extra])


class Reader(HTMLParser):
    """The text that a reader sees, and the tags in order."""

    def __init__(self, text):
        super().__init__()
        self.text, self.tags, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def text_of(html_text):
    return re.sub(r"[ \n]+", " ", " ".join(Reader(html_text).text))


def rows_of(text, caption):
    """The body of the table that bears the caption: its cells by row name."""
    part = text[text.index(f"<caption>{caption}") :]
    body = part[part.index("<tbody>") : part.index("</tbody>")]
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    cells = [[text_of(cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in rows]
    return {name: rest for name, *rest in cells}


def header_of(text, caption):
    part = text[text.index(f"<caption>{caption}") :]
    return re.findall(r'<th scope="col">([^<]*)</th>', part[: part.index("</thead>")])


def text_of_workbook(content: bytes) -> str:
    """
    The text of every part of a workbook (cells, names of sheets, properties), one a line, without its markup.

    By the archive itself, not by what the leak scan opens it with.
    """
    found = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                part = ElementTree.fromstring(archive.read(name))
                named = [one.get("name", "") for one in part.iter() if one.tag.endswith("}sheet")]
                found += [text for text in (*part.itertext(), *named) if text.strip()]
    return "\n".join(found)


class _Lines(HTMLParser):
    """The text of a page line by line: a block is a line, a row of a table too; a drawing is what it says in words."""

    BLOCKS = frozenset({
        "address", "article", "aside", "blockquote", "body", "caption", "dd", "div", "dl", "dt", "figcaption",
        "footer", "h1", "h2", "h3", "h4", "header", "li", "main", "nav", "ol", "p", "section", "summary", "table",
        "tbody", "thead", "tr", "ul",
    })  # fmt: skip
    CELLS = frozenset({"td", "th"})

    def __init__(self, text: str):
        super().__init__()
        self.lines, self.now, self.silent = [], "", 0
        self.feed(text)
        self.end_line()

    def end_line(self):
        line = re.sub(r"[ \n\t]+", " ", self.now).strip().removesuffix("|").strip()
        self.now = ""
        if line:
            self.lines.append(line)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if self.silent or tag in ("style", "title", "svg"):
            self.silent += tag in ("style", "title", "svg")
        if tag == "svg" and "narrow" not in told.get("class", ""):
            self.end_line()
            self.lines.append(f"[{told.get('aria-label', '')}]")
        elif tag in self.BLOCKS and not self.silent:
            self.end_line()
            self.now = {"h1": "# ", "h2": "## ", "h3": "### ", "li": "- "}.get(tag, "")

    def handle_endtag(self, tag):
        if tag in ("style", "title", "svg"):
            self.silent -= 1
        elif tag in self.BLOCKS and not self.silent:
            self.end_line()
        elif tag in self.CELLS and not self.silent:
            self.now += " | "

    def handle_data(self, data):
        if not self.silent:
            self.now += data


def lines_of(html_text: str) -> list[str]:
    """What a page says, a line a block, a row of a table or a drawing; no-break spaces are shown as they are."""
    return _Lines(html_text).lines
