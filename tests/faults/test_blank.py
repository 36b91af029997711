"""Blank is normal: whatever column is absent, whatever cell blank, a run ends in its pages, its rows accounted for.

So does one of very few rows. Each case is a whole line, and slow (`make blank`); here a few stand for the others.
"""

import datetime as dt
from random import Random

import pandas as pd
import pytest

from trajectories import pipeline
from trajectories.deposits.crosswalks import load_crosswalk
from trajectories.deposits.reading import read_text
from trajectories.exceptions import UnusableInputError
from trajectories.simulate import Settings, simulate
from trajectories.study import Paths, Study
from trajectories.tables import PROVINCE
from whole_line import not_said, whole_line

# Of the contract (deposit-schema.md), in its order.
COLUMNS = tuple(load_crosswalk().labels["columns"].values())
DATES = tuple(column for column in COLUMNS if column.startswith("date_"))
DREW = Random(7)
# (what is done, to which columns): `absent`, or `half` of the cells blank.
SINGLE = [(what, (column,)) for what in ("absent", "half") for column in COLUMNS]
PAIRS = [("absent", tuple(DREW.sample(COLUMNS, 2))) for _ in range(20)]
PAIRS += [("half", tuple(DREW.sample(COLUMNS, 2))) for _ in range(10)]
MANY = [("half", COLUMNS), ("absent", ("prenom", "nom", "date_naissance")), ("absent", ("exercice", "trimestre"))]
MANY += [("absent", ("municipalite_residence", "municipalite_destination", "code_municipal", "code_postal")),
         ("absent", ("date_etablissement", "date_suivi", "statut_suivi"))]  # fmt: skip
# Every column is in one of these: a dozen at once, and the same half blank.
SHUFFLED = DREW.sample(COLUMNS, len(COLUMNS))
DOZENS = [(what, tuple(SHUFFLED[at : at + 12])) for at in range(0, len(COLUMNS), 12) for what in ("absent", "half")]


def named(case) -> str:
    what, columns = case
    return f"{what}: {', '.join(columns) if len(columns) <= 3 else f'{len(columns)} columns'}"


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("TRAJECTORIES_KEY", "a key for the tests only")


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """The deposits of a few invented households, by file name, as texts."""
    folder = tmp_path_factory.mktemp("typed")
    two_years = {"start": dt.date(2021, 4, 1), "end": dt.date(2023, 3, 31)}
    simulate(folder, Settings(households=40, organisations=4, defects="none", seed=4, **two_years))
    frames = {}
    for path in sorted((folder / "raw").rglob("*_20*.csv")):
        rows = read_text(path.read_bytes(), lambda rows: (0, len(rows[0])), 10_000).grid.head(10_000)
        deposited = path.stem.rpartition("_")[2]
        frames[path.name] = pd.DataFrame(rows[1:], columns=rows[0]).assign(date_depot=deposited)
    assert set(COLUMNS) == {column for frame in frames.values() for column in frame}
    return frames


def study_in(folder) -> Study:
    paths = Paths(folder / "raw", folder / "derived", folder / "reports")
    return Study(paths=paths, replicates=2, draws=2, horizons=(12,))


def put(typed, case, folder) -> int:
    """Write the deposits with what is absent and blank; how many rows hold something."""
    (what, columns), draw, n = case, Random(repr(case)), 0
    folder.mkdir()
    for number, (name, frame) in enumerate(typed.items()):
        frame = frame.copy()
        if what == "absent":
            frame = frame.drop(columns=list(columns))
        else:
            for column in columns:
                frame[column] = frame[column].where([draw.random() < 0.5 for _ in range(len(frame))], "")
        if {"exercice", "trimestre"} <= set(columns):
            name = f"{name.split('_')[0]}_{number}.csv"  # nor does the name say it
        frame.to_csv(folder / name, sep=";", index=False)
        n += int(frame.ne("").any(axis=1).sum())
    return n


@pytest.mark.parametrize("case", DOZENS, ids=named)
def test_a_build_ends_whatever_is_blank(tmp_path, typed, case):
    n = put(typed, case, tmp_path / "raw")
    deposits = pipeline.build(study_in(tmp_path)).deposits
    assert deposits.accounting()["n_read"].iloc[-1] == n
    assert deposits.files["fault"].isna().all()


@pytest.mark.slow
@pytest.mark.parametrize("case", [*SINGLE, *PAIRS, *MANY], ids=named)
def test_a_run_ends_in_its_pages_whatever_is_blank(tmp_path, typed, case):
    n = put(typed, case, tmp_path / "raw")
    built, pages = whole_line(study_in(tmp_path), (PROVINCE, "05"))
    assert built.deposits.accounting()["n_read"].iloc[-1] == n
    assert built.deposits.files["fault"].isna().all()
    assert not_said(pages) == {}


# ── very small deposits ───────────────────────────────────────────────────────────────────────────────────
HEADER = "no_dossier;prenom;nom;municipalite_residence;service;date_service;municipalite_destination;" + (
    "date_etablissement;date_suivi;statut_suivi;date_depart_region;destination_depart"
)
SERVED = "Montréal;Accueil;2021-11-02;;;;;;"
SETTLED = "Rimouski;;;Rimouski;2021-12-01;;;;"
MET = "Rimouski;;;;;2021-12-15;présent;;"
LEFT = "Rimouski;;;;;;;2021-12-20;Montréal"


def everybody(row):
    return [f"{at};Zoé;C{name};{row}" for at, name in enumerate("abcdefgh")]


SMALL = {
    "two persons served": ["1;Zoé;Côté;" + SERVED, "2;Ali;Bâ;" + SERVED],
    "one row": ["1;Zoé;Côté;" + SERVED],
    "one person who settled": ["1;Zoé;Côté;" + SERVED, "1;Zoé;Côté;" + SETTLED],
    "one settlement": ["1;Zoé;Côté;" + SETTLED],
    "no settlement at all": everybody(SERVED),
    "only departures": everybody(LEFT),
    "only contacts": everybody(MET),
    "all settled on the last day": everybody(SETTLED.replace("12-01", "12-31")),
    "everybody elsewhere": everybody("Toronto;Accueil;2021-11-02;Ottawa;2021-12-01;;;;"),
}


def put_small(rows, folder, name="EER01_2021-2022_T3.csv"):
    folder.mkdir()
    (folder / name).write_text("\n".join([HEADER, *rows]), encoding="utf-8")


@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=[] if title == "two persons served" else pytest.mark.slow) for title in SMALL]
)
def test_very_few_rows_end_in_pages_too(tmp_path, title):
    put_small(SMALL[title], tmp_path / "raw")
    built, pages = whole_line(study_in(tmp_path), (PROVINCE, "01"))
    assert built.deposits.accounting()["n_accepted"].iloc[-1] == len(SMALL[title])
    assert not_said(pages) == {}


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [
        ([], "EER01_2021-2022_T3.csv", "usable row"),
        ([HEADER, HEADER], "EER01_2021-2022_T3.csv", "usable row"),
        (["1;Zoé;Côté;Rimouski;;;;;;;;"], "depot.csv", "cutoff"),
    ],
)
def test_nothing_to_tell_is_a_sentence(tmp_path, rows, name, said):
    put_small(rows, tmp_path / "raw", name)
    with pytest.raises(UnusableInputError, match=said):
        pipeline.build(study_in(tmp_path))
