"""The reference, written anew by each build from the code itself: nothing in it is copied by hand.

A page says `{{ made: commands }}` where the text goes; the functions below write it.
"""

import ast
import dataclasses
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer
from sphinx.application import Sphinx

import trajectories
from trajectories import tables
from trajectories.analysis import results
from trajectories.cli import app as commands_app
from trajectories.study import Study

ROOT = Path(trajectories.__file__).parents[2]
_ASKED = re.compile(r"^\{\{ made: (\S+)(?: (\S+))? \}\}$", re.MULTILINE)


def public_names(module: str) -> str:
    """What a module makes public: a table of all names, functions and classes by their docstrings, then constants."""
    room = importlib.import_module(module)
    documented, constants, rooms = [], [], []
    for name in room.__all__:
        value = getattr(room, name)
        if inspect.ismodule(value):
            rooms.append((name, value))
        elif inspect.isclass(value) or inspect.isroutine(value):
            documented.append((name, value))
        else:
            constants.append((name, value))
    text = [_rows(("name", "what it is"), ((f"[`{n}`](#{module}.{n})", _summary(v)) for n, v in documented))]
    for name, value in documented:
        directive = "autoclass" if inspect.isclass(value) else "autofunction"
        options = "\n   :members:" if inspect.isclass(value) else ""
        text.append(f"## `{name}`\n\n```{{eval-rst}}\n.. {directive}:: {module}.{name}{options}\n```\n")
    if constants:
        text.append("## Constants\n\n" + _rows(("name", "value"), ((f"`{n}`", _code(v)) for n, v in constants)))
    if rooms:
        text.append("## Rooms\n\n" + _rows(("name", "what it holds"), ((f"`{n}`", _summary(v)) for n, v in rooms)))
    return "\n\n".join(text)


def commands() -> str:
    """Every command, what it does, its arguments and options with their defaults, from the program itself."""
    found = list(_leaves(typer.main.get_command(commands_app), "trajectories"))
    text = [_rows(("command", "what it does"), _command_rows(found))]
    for name, command in found:
        usage = " ".join([name, *_usage(command)])
        rows = [
            (_code(", ".join(reversed(p.opts + p.secondary_opts))), _line(getattr(p, "help", None)), _default(p))
            for p in command.params
            if p.param_type_name == "option" and p.name != "help"
        ]
        text.append(f"## {name}\n\n{_line(command.help)}\n\n```text\n{usage}\n```\n\n")
        text.append(_rows(("option", "meaning", "default"), rows) if rows else "")
    return "\n".join(text)


def settings() -> str:
    """Every key of study.toml: what its comment says, and its default in the code."""
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    comments, said, rows = _comments(text), tomllib.loads(text), []
    for key, default in _flat(Study()):
        if not comments.get(key):
            raise LookupError(f"study.toml says nothing of the setting {key}.")
        rows.append((f"`{key}`", comments[key], _default_of(said.get(key) if default is None else default)))
    return _rows(("key", "meaning", "default"), rows)


def study_file() -> str:
    """study.toml as it is."""
    return f"```toml\n{(ROOT / 'study.toml').read_text(encoding='utf-8')}```\n"


def room_tables() -> str:
    """The tables that pass between rooms: columns, types, whether a value may be missing, allowed values."""
    text = []
    for table in tables.TABLES.values():
        rows = (
            (f"`{name}`", column.type, "" if column.required else "yes", _values(column.values))
            for name, column in table.columns.items()
        )
        text.append(f"## {table.name}\n\n" + _rows(("column", "type", "may be missing", "values"), rows))
    return "\n".join(text)


def result_tables() -> str:
    """The tables of an analysis, from the dictionary that is written beside them."""
    known = results.meanings()
    text = ["## Columns of many tables\n", _meanings(known["columns"])]
    for name, table in sorted(known["tables"].items()):
        text.append(f"## {name}\n\nOne row: {table['row']}.\n")
        if table.get("columns"):
            text.append(_meanings(table["columns"]))
    return "\n".join(text)


def modules() -> str:
    """Every module of the package by its folder: what its first sentence says it does."""
    package = Path(trajectories.__file__).parent
    text = []
    for folder in sorted({path.parent for path in package.rglob("*.py")}):
        name = "/".join(folder.relative_to(package.parent).parts)
        rows = (
            (f"`{path.name}`", _first_sentence(path)) for path in sorted(folder.glob("*.py")) if path.stem != "__init__"
        )
        text.append(
            f"## {name}\n\n{_first_sentence(folder / '__init__.py')}\n\n" + _rows(("module", "what it does"), rows)
        )
    return "\n".join(text)


def _first_sentence(path: Path) -> str:
    return _line((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0])


MADE = {
    "names": public_names, "commands": commands, "settings": settings, "study-file": study_file,
    "room-tables": room_tables, "result-tables": result_tables, "modules": modules,
}  # fmt: skip


def _meanings(columns: dict[str, str]) -> str:
    return _rows(("column", "meaning"), ((f"`{name}`", meaning) for name, meaning in columns.items()))


def _leaves(command, name: str) -> Iterator[tuple[str, object]]:
    inner = getattr(command, "commands", None)
    if not inner:
        yield name, command
    for word, one in (inner or {}).items():
        yield from _leaves(one, f"{name} {word}")


def _command_rows(found: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    for name, command in found:
        yield f"[`{name.partition(' ')[2]}`](#{_anchor(name)})", _line(command.help)


def _usage(command) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    return ["[OPTIONS]", *(p.metavar or p.name.upper() for p in arguments)]


def _default(parameter) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or callable(parameter.default) or parameter.default is False:
        return ""
    return _code(parameter.default)


def _comments(text: str) -> dict[str, str]:
    """Key (with its section) → the comment beside it, or above it and its neighbours; some keys stand behind a #."""
    found, section, above = {}, "", []
    for line in text.splitlines():
        if header := re.match(r"#? ?\[(\w+)\]$", line):
            section, found[header[1]], above = f"{header[1]}.", " ".join(above), []
        elif key := re.match(r"(?:# )?(\w+) = [^#]*(?:# (.*))?$", line):
            found[section + key[1]] = key[2] or " ".join(above)
        elif line.startswith("# "):
            above.append(line[2:])
        elif not line:
            above = []
    return found


def _flat(study: Study) -> Iterator[tuple[str, object]]:
    for one in dataclasses.fields(study):
        value = getattr(study, one.name)
        if dataclasses.is_dataclass(value):
            yield from ((f"{one.name}.{inner.name}", getattr(value, inner.name)) for inner in dataclasses.fields(value))
        else:
            yield one.name, value


def _default_of(value: object) -> str:
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, tuple):
        return _code(", ".join(map(str, value)))
    return _code(value) if not hasattr(value, "items") or value else "none"


def _summary(value: object) -> str:
    return _line((inspect.getdoc(value) or "").strip().split("\n\n")[0])


def _line(text: str | None) -> str:
    return " ".join((text or "").split())


def _code(value: object) -> str:
    return f"`{value}`"


def _values(values: Iterable[str] | None) -> str:
    return ", ".join(map(_code, values or ()))


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _write(app: Sphinx, page: str, source: list[str]) -> None:
    def made(found: re.Match) -> str:
        name, argument = found.groups()
        return MADE[name](*([argument] if argument else []))

    source[0] = _ASKED.sub(made, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
