"""What the documents tell a reader to type: every command is one that there is, and those of the first hour are run."""

import doctest
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

import sample_project
from commands import call
from invented_estimates import with_invented_estimates
from report_tables import write_tables
from trajectories.cli import app
from trajectories.study import Study
from without_kernels import pages_without_kernels

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "data", "reports", "notebooks", "benchmarks", "docs")
DOCUMENTS = sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
DOCUMENTS += sorted((ROOT / "docs").glob("*/*.md"))
FENCED = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"^(?:\S*/)?(?:python -m )?trajectories(?: |$)")
COMMANDS = typer.main.get_command(app)
README, README_FR = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fr.md"))


def blocks(path):
    """The blocks of code of a document: language and text, continued lines joined."""
    for _, language, text in FENCED.findall(path.read_text(encoding="utf-8")):
        yield language, text.replace("\\\n", " ")


def typed(path):
    """The lines that a document's shell blocks tell to type, in order."""
    return [line.strip() for language, text in blocks(path) if language == "sh" for line in text.splitlines()]


def mentioned(path):
    """What stands between backquotes in a document's sentences."""
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def arguments(line):
    """What follows the program's name, up to a pipe or a file; None where the line is another program's."""
    if not PROGRAM.match(line):
        return None
    words = shlex.split(PROGRAM.sub("", line), comments=True)
    return words[: next((at for at, word in enumerate(words) if word[0] in ">|&;"), None)]


def command_of(words):
    """The command that the words name, and what is left of them."""
    command, rest = COMMANDS, list(words)
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"no such command: {rest[0]}"
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_that_a_document_names_exists(path):
    for line in filter(PROGRAM.match, [*typed(path), *mentioned(path)]):
        command, rest = command_of(arguments(line))
        known = {"--help", "-h", *(name for one in command.params for name in (*one.opts, *one.secondary_opts))}
        asked = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert asked <= known, f"{line}: {asked - known}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_line_to_type_is_understood(path):
    for line in filter(PROGRAM.match, typed(path)):
        command, rest = command_of(arguments(line))
        # the values of the options too; nothing is run
        command.make_context("trajectories", rest, resilient_parsing="--version" in rest)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_target_of_make_exists(path):
    targets = set(re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    asked = {found[1] for line in [*typed(path), *mentioned(path)] if (found := re.match(r"make ([a-z-]+)", line))}
    assert asked <= targets


def test_the_documents_name_commands_at_all():
    lines = [line for path in DOCUMENTS for line in typed(path) if PROGRAM.match(line)]
    spans = [span for path in DOCUMENTS for span in mentioned(path) if PROGRAM.match(span)]
    assert len(lines) > 15 and len(spans) > 40
    with pytest.raises(AssertionError, match="no such command"):
        command_of(["raport"])


def test_every_command_is_in_the_list_of_commands():
    said = {span for span in mentioned(ROOT / "docs" / "how-to" / "commands.md") if PROGRAM.match(span)}
    told = {command_of(arguments(span))[0].name for span in said}
    groups = COMMANDS.commands
    assert told == {name for one in groups.values() for name in getattr(one, "commands", {one.name: one})}


def shape(text):
    """What two translations share: levels of headings, blocks of code without comments, images, links to files."""
    code = [(language, re.sub(r" *#.*", "", body)) for _, language, body in FENCED.findall(text)]
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("README")]
    images = [name.replace(".fr.svg", ".svg") for name in re.findall(r'<img src="([^"]+)"', text)]
    return re.findall(r"^(#+) ", FENCED.sub("", text), re.MULTILINE), code, images, links


def test_the_readme_says_the_same_in_both_languages():
    assert shape(README) == shape(README_FR)
    assert len(shape(README)[0]) > 5
    for text in (README, README_FR):
        for link in (*shape(text)[2], *shape(text)[3]):
            assert (ROOT / link).exists(), link
        assert text.count("| ") > 20 and text.count("alt=") == 2


@pytest.fixture
def first_hour(tmp_path, monkeypatch):
    """A folder as the tutorial's reader has it, with the sample of the tests."""
    project = shutil.copytree(sample_project.built(), tmp_path / "project")
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / ".venv" / "bin" / "activate").touch()
    monkeypatch.chdir(project)
    return project


def do(path, known):
    """Every command and every example of a document, in order; a status that is not 0 stands behind the command."""
    for language, text in blocks(path):
        if language == "sh":
            _type(text)
        elif ">>>" in text:
            told = []
            test = doctest.DocTestParser().get_doctest(text, known, path.name, str(path), 0)
            options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
            runner = doctest.DocTestRunner(optionflags=options, verbose=False)
            runner.run(test, out=told.append, clear_globs=False)
            known |= test.globs
            assert runner.failures == 0, "".join(told)


def _type(text):
    shell = []
    for line in [*text.splitlines(), "trajectories"]:
        if not PROGRAM.match(line):
            # the target exists; what it does has its own tests
            shell += [] if line.startswith("make ") else [line]
            continue
        subprocess.run(["sh", "-eu"], input="\n".join(shell), text=True, check=True)
        shell = []
        if asked := arguments(line):
            expected = re.search(r"# status (\d)", line)
            assert call(*asked) == int(expected[1] if expected else 0), line


def the_hour_went_well(place, said):
    assert (place / "reports" / "sample" / "shareable" / "region-05.html").exists()
    assert (place / "curve.png").stat().st_size > 1000
    assert (place / "modele-depot.xlsx").exists()
    said = said.replace("\u00a0", " ")
    cells = re.findall(r"\(([A-Z]\d)\)", (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8"))
    assert re.findall(r"cellule ([A-Z]\d)", said) == cells != []
    assert "1 of 1 report(s) ready." in said and "Saint-Fabien (10070" in said


@pytest.mark.thorough
def test_the_first_hour_by_the_letter(first_hour, tmp_path_factory, monkeypatch, capsys):
    # estimates and kernels are those of test_main_job.py
    with_invented_estimates(monkeypatch, write_tables(tmp_path_factory.mktemp("estimates")))
    pages_without_kernels(monkeypatch)
    known = {}
    do(ROOT / "docs" / "tutorial.md", known)
    the_hour_went_well(first_hour, capsys.readouterr().out)
    # the README's example, on the sample that is there by now
    (example,) = (text for language, text in blocks(ROOT / "README.md") if language == "python")
    exec(example, known)
    assert known["study"] == Study(replicates=50)
