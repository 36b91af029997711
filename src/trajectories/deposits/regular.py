"""The fast way to read text: pyarrow's compiled reader, for files on which it cannot differ from the careful one.

Such a file has the same number of cells on every line and quotes only around whole cells. Anything else is left to
`text`, row by row; a property test holds the two against each other.
"""

from __future__ import annotations

import re

import numpy as np

from .grid import MOST_COLUMNS, Coded, Grid, without_blank_rows

# Beyond this a file is read row by row: the compiled reader takes it as one block.
_LARGEST = 1 << 30
# Beyond this the csv module gives a cell up.
_LONGEST_CELL = 131_072
_LINE_END = re.compile(r"[\r\n]")


def read_regular(text: str, separator: str, max_rows: int) -> Grid | None:
    """
    The cells of a regular text, or None where it may not be regular.

    Examples
    --------
    >>> grid = read_regular("a;b\\n1;2\\n1;3\\n", ";", 100)
    >>> grid.head(3), grid.columns[0].texts
    ([['a', 'b'], ['1', '2'], ['1', '3']], ['a', '1'])
    >>> read_regular("a;b\\n1\\n", ";", 100) is None
    True
    """
    import pyarrow as pa
    from pyarrow import csv

    text = text.rstrip("\r\n")
    if not text or text[0] in "\r\n\ufeff" or text.count("\n") + text.count("\r") >= max_rows:
        return None
    quoted = '"' in text
    if quoted and not _well_quoted(text, separator):
        return None
    first = _LINE_END.split(text, maxsplit=1)[0]
    names = [str(number) for number in range(first.count(separator) + 1)]
    content = text.encode("utf-8")
    if not 2 <= len(names) <= MOST_COLUMNS or len(content) > _LARGEST or (quoted and '"' in first):
        return None
    try:
        table = csv.read_csv(
            pa.py_buffer(content),
            read_options=csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=names),
            parse_options=csv.ParseOptions(delimiter=separator, quote_char='"' if quoted else False, escape_char=False,
                                           newlines_in_values=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                check_utf8=False, column_types=dict.fromkeys(names, pa.dictionary(pa.int32(), pa.string()))),
        )  # fmt: skip
    except pa.ArrowException:
        return None
    n = table.num_rows
    columns = []
    for column in table.columns:
        if column.num_chunks != 1:
            return None
        chunk = column.chunk(0)
        columns.append(Coded(chunk.indices.to_numpy(), chunk.dictionary.to_pylist()))
    if quoted and any(len(cell) > _LONGEST_CELL for column in columns for cell in column.texts):
        return None
    return without_blank_rows(Grid(np.arange(1, n + 1), np.full(n, len(names)), columns))


def _well_quoted(text: str, separator: str) -> bool:
    """Whether quotes stand only around whole cells of one line, and inside them only doubled."""
    ends = separator + "\r\n"
    pieces = text.split('"')  # outside, inside, outside …: two quotes in a row leave an empty piece between them
    if len(pieces) % 2 == 0 or (pieces[0] and pieces[0][-1] not in ends) or (pieces[-1] and pieces[-1][0] not in ends):
        return False
    if any(piece and (piece[0] not in ends or piece[-1] not in ends) for piece in pieces[2:-1:2]):
        return False
    return not any("\n" in piece or "\r" in piece for piece in pieces[1::2])
