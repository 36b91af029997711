"""`--json`: whatever happens, the last line says how it ended, and every line has the same keys."""

import json

import pytest
import typer

from trajectories.cli.progress import KEYS, Events
from trajectories.exceptions import LockedError, sentence_of
from trajectories.runs.batch import Outcome


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (typer.Exit(0), "done", None), (typer.Exit(1), "failed", None), (KeyboardInterrupt(), "interrupted", None),
        (LockedError("Un autre."), "refused", "Un autre."), (MemoryError(), "refused", sentence_of(MemoryError())),
    ],
)  # fmt: skip
def test_the_end_is_told(error, status, message, capsys):
    with pytest.raises(type(error)), Events().command():
        raise error
    (end,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (end["event"], end["status"], end["message"]) == ("end", status, message)


def test_stages_steps_regions_and_sentences(capsys):
    show = Events()
    with show.command(), show.reports(1) as (advance, begin):
        begin("search")
        advance(Outcome("05", "failed", 1.23456, "« panne »", None, "50 to 199"))
        show.fail("Une phrase.", "05")
    lines = capsys.readouterr().out.splitlines()
    told = [json.loads(line) for line in lines]
    assert all(tuple(one) == KEYS for one in told)
    assert [(one["event"], one["status"], one["message"]) for one in told] == [
        ("stage", "started", None), ("stage", "step", "search"), ("region", "failed", "« panne »"),
        ("message", "failed", "Une phrase."), ("stage", "done", None), ("end", "done", None),
    ]  # fmt: skip
    assert told[2] == {"event": "region", "region": "05", "stage": "reports", "status": "failed", "seconds": 1.235,
                       "message": "« panne »", "persons": "50 to 199"}  # fmt: skip
