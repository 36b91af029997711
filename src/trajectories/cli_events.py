"""`--json`: what happens, for a scheduler, one JSON object a line on standard output.

Every object has the same keys; one that does not apply is null:

- `event`: `stage` (a stage or one of its steps begins or ends), `region` (a page is made, skipped or failed), `message`
  (a sentence), `summary` (a page, at the end), `end` (the last line, always);
- `region`; `stage`; `status` (`started`, `step`, `done`, `skipped`, `failed`, `refused`, `interrupted`); `seconds`
  (of the stage, the page or the whole); `message`; `persons` (the class of a number as it is displayed).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from .exceptions import sentence_of
from .interrupts import stop_if_asked

KEYS = ("event", "region", "stage", "status", "seconds", "message", "persons")


class Events:
    """What a scheduler reads; the same methods as `cli_progress.Shown`."""

    def __init__(self) -> None:
        self._stage: str | None = None

    def _tell(self, event: str, **facts: Any) -> None:
        if facts.get("seconds") is not None:
            facts["seconds"] = round(facts["seconds"], 3)
        line = {key: facts.get(key) for key in KEYS} | {"event": event}
        typer.echo(json.dumps(line, ensure_ascii=False))

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Around all that a command does: its last line says how it ended, whatever happened."""
        began, status, why = time.monotonic(), "refused", None
        try:
            yield
            status = "done"
        except typer.Exit as end:
            status = "failed" if end.exit_code else "done"
            raise
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        except Exception as error:
            why = sentence_of(error)
            raise
        finally:
            self._tell("end", status=status, seconds=time.monotonic() - began, message=why)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """A stage at work: gives what tells its steps."""
        began, self._stage = time.monotonic(), name
        self._tell("stage", stage=name, status="started")

        def say(step: str) -> None:
            stop_if_asked()
            self._tell("stage", stage=name, status="step", seconds=time.monotonic() - began, message=step)

        yield say
        self._tell("stage", stage=name, status="done", seconds=time.monotonic() - began)
        stop_if_asked()

    def echo(self, text: str) -> None:
        """A result."""
        self._tell("message", stage=self._stage, message=text)

    def fail(self, sentence: str, region: str | None = None) -> None:
        """What went wrong."""
        self._tell("message", stage=self._stage, status="failed", message=sentence, region=region)

    @contextmanager
    def reports(self, total: int) -> Iterator[tuple[Callable, Callable[[str], None]]]:
        """Gives what is called with each `Outcome`, and what is called with the name of each stage."""
        with self.stage("reports") as say:
            yield lambda outcome: self._outcome("region", outcome), say

    def summary(self, outcomes: Sequence) -> None:
        """One line a page."""
        for outcome in outcomes:
            self._outcome("summary", outcome)

    def _outcome(self, event: str, outcome) -> None:
        self._tell(
            event, region=outcome.region, stage="reports", status=outcome.status, seconds=outcome.seconds,
            message=outcome.message, persons=outcome.persons,
        )  # fmt: skip
