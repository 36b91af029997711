"""Figures of protected tables alone, which a notebook shows without its red band.

What is vouched for is what is drawn, not the figure: with one line more, or one moved, it is a figure as any other.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

_VOUCHED: WeakKeyDictionary[Any, list[object]] = WeakKeyDictionary()


def vouch(figure: Any) -> None:
    """Say that all that is drawn on a figure now comes from `Protected` tables."""
    _VOUCHED[figure] = _drawn(figure)


def vouched(figure: Any) -> bool:
    """Whether a figure shows what `vouch` was told of, and nothing else."""
    return figure in _VOUCHED and _VOUCHED[figure] == _drawn(figure)


def nothing_else(figure: Any) -> bool:
    """Whether a figure shows nothing, or only what is vouched for."""
    return not _drawn(figure) or vouched(figure)


def _drawn(figure: Any) -> list[object]:
    """All on a figure that may stand for a number: not its frames, titles, axes and legends."""
    found: list[object] = []
    every = list(figure.axes)
    for axes in every:  # grows: an inset may have insets
        every += axes.child_axes
    for place in (figure, *figure.subfigs, *every):
        found += [np.asarray(line.get_xydata()).tobytes() for line in place.lines]
        found += [(patch.get_path().vertices.tobytes(), patch.get_patch_transform().get_matrix().tobytes())
                  for patch in place.patches]  # fmt: skip
        found += [np.asarray(image.get_array()).tobytes() for image in place.images]
        found += [(text.get_text(), text.get_position()) for text in place.texts]
        found += [id(artist) for artist in place.artists]
    for axes in every:
        found += [id(table) for table in axes.tables]
        for marks in axes.collections:
            found += [path.vertices.tobytes() for path in marks.get_paths()]
            found.append(np.asarray(marks.get_offsets()).tobytes())
    return found
