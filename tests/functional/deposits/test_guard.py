"""A fault of ours, which nobody foresaw, costs the file that it is met in, and no other; and says where it is."""

import corpus
import pandas as pd
import pytest

from commands import call
from trajectories import pipeline
from trajectories.deposits import dates, deposits, files, organisations, read_deposits, records, values
from trajectories.deposits import organisations as fates

FATAL = "Tremblay-la-Fatale"
GOOD, BAD = [f"BON{at}_2021-2022_T3.csv" for at in range(5)], ["MAL1_2021-2022_T3.csv", "MAL2_2021-2022_T3.csv"]


def put_all(folder, bad=BAD):
    for name in GOOD:
        corpus.put(folder, corpus.text([row[1:] for row in corpus.ROWS], corpus.HEADER[1:]), name)
    for name in bad:
        fatal = [(*row[1:5], FATAL, row[6], FATAL, *row[8:], FATAL) for row in corpus.ROWS]
        corpus.put(folder, corpus.text(fatal, [*corpus.HEADER[1:], "nom_organisme"]), name)


def fails_on(texts) -> bool:
    return any(FATAL in str(text) for text in texts)


def broken(monkeypatch, module, name, look):
    """Let a function of ours fail where it meets the fatal text."""
    before = getattr(module, name)

    def after(*given, **options):
        if fails_on(look(*given)):
            raise KeyError(FATAL)
        return before(*given, **options)

    monkeypatch.setattr(module, name, after)


PLACES = {
    "reading": (files, "lay_out", lambda grid, *_: [cell for row in grid.head(9) for cell in row]),
    "organisations": (organisations, "clean", lambda text: [text]),
    "dates": (records, "DateTable", lambda texts: texts),
    "places": (records, "find_places", lambda typed, **_: typed),
    "fates": (fates, "quarantine_reasons", lambda gathered, *_: gathered.texts["residence"]),
    "values": (values, "plain", lambda texts: texts),
    "tables": (deposits, "_issues", lambda gathered, *_: gathered.texts["residence"]),
}


@pytest.mark.parametrize("where", PLACES)
def test_a_fault_costs_its_files_and_no_other(tmp_path, monkeypatch, where):
    put_all(tmp_path / "good", bad=())
    put_all(tmp_path / "all")
    alone = read_deposits(tmp_path / "good")
    broken(monkeypatch, *PLACES[where])
    read = read_deposits(tmp_path / "all")
    read.accounting()
    unreadable = read.files[read.files["status"].eq("unreadable")]
    assert unreadable["file"].tolist() == BAD
    assert unreadable["fault"].str.startswith("KeyError at deposits/").all()
    assert not unreadable["message"].str.contains(FATAL).any()  # the words of an error may be those of a person
    assert unreadable["message"].str.contains("report").all()
    for name in ("records", "quarantine", "issues", "superseded"):
        pd.testing.assert_frame_equal(getattr(read, name), getattr(alone, name))


def test_where_nothing_fails_every_row_is_understood_once(tmp_path, monkeypatch):
    put_all(tmp_path, bad=())
    times = []
    before = deposits._understood
    monkeypatch.setattr(deposits, "_understood", lambda *given, **about: times.append(1) or before(*given, **about))
    assert len(read_deposits(tmp_path).records) == 3 * len(GOOD)
    assert times == [1]


@pytest.mark.thorough
def test_a_fault_of_no_file_is_not_laid_on_one(tmp_path, monkeypatch):
    put_all(tmp_path)

    before = fates.exact_duplicates

    def fails(gathered, *given):
        if len(set(gathered.file.tolist())) > 1:
            raise KeyError(FATAL)
        return before(gathered, *given)

    monkeypatch.setattr(fates, "exact_duplicates", fails)
    with pytest.raises(KeyError):
        read_deposits(tmp_path)


@pytest.mark.thorough
def test_such_a_build_ends_with_a_status_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the tests only")
    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    put_all(tmp_path / "data/raw")
    broken(monkeypatch, *PLACES["places"])
    for _ in range(2):  # the second finds nothing changed, and says the same
        assert call("build") == 3
        said = capsys.readouterr()
        assert [line.split(": ")[0] for line in said.err.splitlines() if "fault" in line] == BAD
        assert "15 rows read = 15 accepted" in said.out
        assert "Traceback" not in said.err
        assert FATAL not in said.err + said.out


def test_a_fault_that_stops_all_says_where_and_nothing_of_the_deposits(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text("", encoding="utf-8")
    monkeypatch.setattr(pipeline, "build", lambda *_, **__: dates.DateTable([FATAL, 0]))
    assert call("build") == 2
    said = capsys.readouterr().err
    assert "at deposits/dates.py:" in said
    assert "Traceback" not in said
    assert FATAL not in said
