"""The ASCII tables of a file of tests, built at once: fifty of them cost what one does, and nobody knows of the others.

Read from the text of the file: the calls of a fixture whose table and settings stand there as they are. A table that
says quarters is built alone, since the last deposit of anybody is then something that is known of everybody.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections import defaultdict

import pandas as pd
from tables_in import parse, records_and_persons

from trajectories import tables


class Together:
    """Answers for the tables of a module: `build` makes frames of records and persons and settings."""

    def __init__(self, module, fixture, build):
        self.build = build
        self.texts = defaultdict(list)
        self.made = {}
        for text, settings in _calls(module, fixture):
            apart = any("quarter" in row for row in parse(text))
            if not apart and text not in self.texts[_key(settings)]:
                self.texts[_key(settings)].append(text)

    def __call__(self, text, **settings):
        perimeter = settings.get("perimeter", "RMR-2021")
        texts = self.texts[_key(settings)]
        if text in texts and _key(settings) not in self.made:
            each = [_named(number, *records_and_persons(one, perimeter)) for number, one in enumerate(texts)]
            records = tables.stack([records for records, _ in each], tables.RECORDS)
            persons = pd.concat([persons for _, persons in each], ignore_index=True)
            try:
                self.made[_key(settings)] = self.build(records, persons, **settings)
            except Exception:  # each alone, so that the test of the table that fails is the one that fails
                self.made[_key(settings)] = None
        if text not in texts or self.made[_key(settings)] is None:
            return self.build(*records_and_persons(text, perimeter), **settings)
        return _part(self.made[_key(settings)], texts.index(text))


def _calls(module, fixture):
    """The tables, and the settings, that the functions of a module call a fixture with."""
    tree = ast.parse(inspect.getsource(module))
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        known = {
            target.id: node.value.value
            for node in (*tree.body, *ast.walk(function))
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == fixture:
                said = call.args[0]
                text = said.value if isinstance(said, ast.Constant) else known.get(getattr(said, "id", None))
                if isinstance(text, str) and all(isinstance(one.value, ast.Constant) for one in call.keywords):
                    yield text, {one.arg: one.value.value for one in call.keywords}


def _key(settings):
    return tuple(sorted(settings.items()))


def _named(number, records, persons):
    """The same rows of other people."""
    prefix = f"{number:03d}."
    names = {name: prefix + persons[name] for name in ("record_id", "person_id", "household_id")}
    return records.assign(record_id=prefix + records["record_id"]), persons.assign(**names)


def _part(made, number):
    """What was made of one table, under its own names."""
    prefix = f"{number:03d}."
    frames = {}
    for name, frame in vars(made).items():
        if isinstance(frame, pd.DataFrame):
            own = frame[frame["person_id"].str.startswith(prefix)].reset_index(drop=True)
            for column in ("record_id", "person_id", "household_id"):
                if column in own:
                    own[column] = own[column].str.removeprefix(prefix)
            frames[name] = own
    return dataclasses.replace(made, **frames)
