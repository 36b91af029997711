"""Notebooks are saved without outputs: in `trajectories lab` no output reaches a file that may be committed.

JupyterLab calls `strip_on_save` before each save (lab.py). Of the metadata only what an author writes is kept: the
state of widgets and the notes of extensions may hold data, too. No mark in a cell keeps its output, unlike nbstripout's
`keep_output`. A notebook that cannot be read is not saved: the hook raises an HTTPError, since JupyterLab ignores any
other failure of a hook.

Pictures pasted into text stay: they are the author's. The check before a commit refuses them (hooks/refuse_data.py).
"""

from __future__ import annotations

import base64
import json
from typing import Any

# What an author sets, of a cell and of the notebook.
KEPT_OF_CELLS = ("tags", "name", "slideshow", "editable", "deletable")
KEPT_OF_NOTEBOOKS = ("kernelspec", "title", "authors")


def stripped(notebook: dict[str, Any]) -> dict[str, Any]:
    """
    A notebook (format 4, as JSON) without outputs, execution counts and what running leaves in the metadata.

    Raises
    ------
    KeyError, TypeError
        It is no notebook of format 4.

    Examples
    --------
    >>> cell = {"cell_type": "code", "source": "1 + 1", "metadata": {}, "execution_count": 7, "outputs": ["2"]}
    >>> stripped({"nbformat": 4, "metadata": {}, "cells": [cell]})["cells"][0]["outputs"]
    []
    """
    metadata = notebook["metadata"]
    kept = {name: metadata[name] for name in KEPT_OF_NOTEBOOKS if name in metadata}
    if "language_info" in metadata:
        kept["language_info"] = {"name": metadata["language_info"]["name"]}  # its version is the machine's
    return {**notebook, "metadata": kept, "cells": [_stripped_cell(cell) for cell in notebook["cells"]]}


def _stripped_cell(cell: dict[str, Any]) -> dict[str, Any]:
    kept = {name: cell["metadata"][name] for name in KEPT_OF_CELLS if name in cell["metadata"]}
    emptied: dict[str, Any] = {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
    return {**cell, "metadata": kept, **emptied}


def strip_on_save(model: dict[str, Any], path: str, **_: Any) -> None:
    """
    Take the outputs out of a notebook that JupyterLab is about to save (`ContentsManager.pre_save_hook`).

    Parameters
    ----------
    model : dict
        What is saved, changed in place: its `type`, `format` and `content`. An upload is of type `file`.
    path : str
        Where, below the folder of the notebooks.

    Raises
    ------
    tornado.web.HTTPError
        The notebook cannot be read, so that nothing is saved.
    """
    if model["type"] != "notebook" and not (model["type"] == "file" and path.endswith(".ipynb")):
        return
    try:
        if model["type"] == "notebook":
            model["content"] = stripped(model["content"])
        elif "chunk" in model:
            raise ValueError("an upload in parts")
        else:
            model["content"] = _stripped_text(model["content"], model["format"])
    except Exception as error:
        from tornado.web import HTTPError

        sentence = f"{path} was not saved: its outputs cannot be taken out ({type(error).__name__})"
        raise HTTPError(400, sentence, reason=sentence.encode("ascii", "replace").decode()) from None


def _stripped_text(content: str, kind: str) -> str:
    """An uploaded notebook, as text or in base64."""
    text = base64.b64decode(content).decode("utf-8") if kind == "base64" else content
    text = json.dumps(stripped(json.loads(text)), ensure_ascii=False, indent=1) + "\n"
    return base64.b64encode(text.encode("utf-8")).decode("ascii") if kind == "base64" else text
