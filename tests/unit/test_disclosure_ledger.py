"""The ledger: what was published before is beside what may be said now, and only `publish` writes it."""

import datetime as dt
import json
import stat

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import examples
from report_tables import write_least
from trajectories import Study
from trajectories.disclosure import protect
from trajectories.disclosure.ledger import Publication, beside_published, read_ledger, without_kept, write_publication
from trajectories.disclosure.rules import rounding_interval
from trajectories.exceptions import UnusableInputError
from trajectories.report import sections
from trajectories.report.addresses import ANNEX, METHOD
from trajectories.report.annex import annex
from trajectories.report.inputs import open_all, open_reports
from trajectories.report.method_page import method_page
from trajectories.report.run import Run, data_hashes
from trajectories.runs import manifest
from trajectories.runs.publish import LISTING, publish, to_publish
from trajectories.stamps import file_hash
from trajectories.study import Disclosure, Paths

RULES = Disclosure()
OURS = ("RMR-2021", "region", None)
OTHERS = ("CMM", "region", None)


def counts(*persons, group="05"):
    keys = [f"k{i}" for i in range(len(persons))]
    raw = pd.DataFrame({"group": group, "table": "t", "key": keys, "persons": persons})
    total = pd.DataFrame({"group": group, "table": "t", "key": "total", "persons": [sum(persons)]})
    raw = pd.concat([raw, total], ignore_index=True).assign(households=lambda f: f["persons"] // 2)
    return protect(raw).frame


def published(name, frame, settings=OURS, day="2026-03-31", number="01"):
    return Publication(f"{day}-{number}", day, settings, {name: frame})


def beside(name, frame, *ledger):
    return beside_published({name: frame}, ledger, OURS, {name: RULES})[name]


def people(frame, key):
    return frame.set_index("key").loc[key, "persons_rounded"]


# ── counts ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("before", "now", "told"),
    [(40, 40, 40), (40, 42, 40), (40, 45, 40), (40, 49, 50), (40, 50, 50), (45, 38, 45), (45, 33, 35)],
)
def test_a_count_moves_once_its_change_is_large_enough(before, now, told):
    found = beside("counts", counts(now, 200), published("counts", counts(before, 200)))
    assert people(found, "k0") == told
    kept = found.set_index("key").loc["k0", "published"]
    assert (kept == "2026-03-31") == (told == round(before / 5) * 5 and told != round(now / 5) * 5)


def test_a_total_is_the_sum_of_what_is_displayed():
    found = beside("counts", counts(45, 260), published("counts", counts(40, 200)))
    assert [people(found, key) for key in ("k0", "k1", "total")] == [40, 260, 300]
    assert found.set_index("key").loc["total", "published"] == "2026-03-31"


def test_small_changes_add_up_until_they_may_be_told():
    first = published("counts", counts(40, 200))
    second = beside("counts", counts(45, 200), first)
    ledger = [first, published("counts", second.drop(columns="published"), day="2026-06-30")]
    third = beside("counts", counts(50, 200), *ledger)
    assert (people(second, "k0"), people(third, "k0")) == (40, 50)


def test_of_other_settings_the_whole_table_of_the_group_is_hidden():
    other = published("counts", counts(40, 200), settings=OTHERS)
    found = beside("counts", counts(45, 200), other)
    assert not found["shown"].any() and found["persons_rounded"].isna().all()
    calm = beside("counts", counts(60, 200), other)
    assert calm["shown"].all() and people(calm, "k0") == 60


def test_what_was_hidden_or_not_published_keeps_nothing_back():
    found = beside("counts", counts(12, 200), published("counts", counts(4, 200)))
    assert people(found, "k0") == 10 and found["published"].isna().all()
    assert beside("counts", counts(12, 200))["published"].isna().all()


@examples(50)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 400)), min_size=2, max_size=6))
def test_whatever_was_published_in_a_row_no_difference_shows(history):
    """As a reader: of any two publications of a cell, the interval of the difference is 0, or reaches the threshold."""
    ledger = []
    for k, persons in enumerate(history):
        frame = beside("counts", counts(*persons), *ledger)
        ledger.append(published("counts", frame.drop(columns="published"), day=f"2026-01-{k + 1:02d}"))
    shown = [entry.tables["counts"].query("key != 'total'").set_index("key")["persons_rounded"] for entry in ledger]
    for one in shown:
        for other in shown:
            both = one.notna() & other.notna()
            (a, b), (c, d) = (rounding_interval(x[both].astype(int), 5, 10) for x in (one, other))
            least, most = c - b, d - a
            assert not ((least > 0) & (most < 10)).any()


# ── rates and curves ──────────────────────────────────────────────────────────────────────────────────────
def rates(n, **at):
    """Rates of one group at horizons: h12=0.8."""
    rows = [{"group": "05", "method": "main", "horizon": int(name[1:]), "estimate": rate, "lower": rate - 0.1,
             "upper": min(rate + 0.1, 1.0), "n_start": n, "n_at_risk": n // 2, "known": "observed"}
            for name, rate in at.items()]  # fmt: skip
    return protect(pd.DataFrame(rows)).frame


def exits(n, **at):
    rows = [{"group": "05", "cause": cause, "horizon": int(name[1:]), "estimate": (1 - rate) * share, "lower": 0.0,
             "upper": 1.0, "n_start": n, "n_at_risk": n // 2}
            for name, rate in at.items() for cause, share in (("metropole", 0.6), ("other_region", 0.4))]  # fmt: skip
    return protect(pd.DataFrame(rows)).frame


def test_a_rate_keeps_what_was_published_where_few_more_left():
    before = published("retention", rates(200, h12=0.80, h24=0.70))
    # 40 and 60 had left: five more at 12 months, 20 more at 24
    found = beside("retention", rates(200, h12=0.77, h24=0.60), before).set_index("horizon")
    assert found["estimate"].to_dict() == {12: 0.80, 24: 0.60}
    assert found["published"].notna().to_dict() == {12: True, 24: False}
    # of five thousand a percent is fifty persons: nothing shows
    many = published("retention", rates(5000, h12=0.80))
    assert beside("retention", rates(5000, h12=0.79), many)["estimate"].tolist() == [0.79]


def test_a_horizon_keeps_all_its_rates_together():
    ledger = [Publication("1", "2026-03-31", OURS, {"retention": rates(200, h12=0.80), "exits": exits(200, h12=0.80)})]
    tables = {"retention": rates(200, h12=0.77), "exits": exits(200, h12=0.77)}
    found = beside_published(tables, ledger, OURS, dict.fromkeys(tables, RULES))
    for name in tables:
        assert found[name]["published"].eq("2026-03-31").all(), name
    total = found["retention"]["estimate"].sum() + found["exits"]["estimate"].sum()
    assert total == pytest.approx(1.0, abs=0.011)


def test_what_follows_from_a_kept_rate_is_hidden():
    kept = beside("retention", rates(200, h12=0.77, h24=0.60), published("retention", rates(200, h12=0.80, h24=0.70)))
    frame = pd.DataFrame({"group": "05", "horizon": [12, 24], "estimate": [0.77, 0.6], "shown": True, "reason": None})
    found = without_kept("restricted_time", frame, kept)
    assert found["estimate"].isna().tolist() == [True, False] and found["shown"].tolist() == [False, True]
    assert without_kept("leads", frame, kept)["shown"].all()


def test_a_curve_has_no_number_where_its_difference_shows():
    def curve(survival, n=200):
        month = np.arange(len(survival))
        frame = pd.DataFrame({
            "group": "05", "month": month, "survival": survival, "lower": survival, "upper": survival,
            "n_risk": n, "n_start": n, "n_exits": np.round((1 - np.array(survival)) * n),
            "horizon": True,
        })  # fmt: skip
        return protect(frame).frame

    before = published("curves", curve([1.0, 0.90, 0.80]))
    found = beside("curves", curve([1.0, 0.90, 0.775]), before)
    assert found["month"].tolist() == [0, 1]


# ── the folder ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_publication_is_read_as_it_was_written(tmp_path):
    entry = published("counts", counts(40, 200))
    place = write_publication(tmp_path / "ledger", entry)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    (again,) = read_ledger(tmp_path / "ledger")
    assert (again.day, again.settings) == (entry.day, OURS)
    pd.testing.assert_frame_equal(again.tables["counts"], entry.tables["counts"])
    assert read_ledger(tmp_path / "none") == []


def test_a_damaged_publication_is_refused(tmp_path):
    place = write_publication(tmp_path / "ledger", published("counts", counts(40, 200)))
    (place / "counts.parquet").write_bytes(b"half")
    with pytest.raises(UnusableInputError, match="cannot be read"):
        read_ledger(tmp_path / "ledger")


@pytest.fixture
def run(tmp_path):
    """A finished run: tables, two pages, the manifest that knows them."""
    out = tmp_path / "reports"
    tables = write_least(out / "sensitive" / "tables", {"05": 640, "03": 210})
    (out / "shareable").mkdir()
    made(out, "region-05.html", "index.html")
    return Study(paths=Paths(raw=tmp_path, derived=tmp_path, reports=out)), tables


def made(out, *names):
    tables = out / "sensitive" / "tables"
    pages = {}
    for name in names:
        (out / "shareable" / name).write_text(f"<p>{name}</p>", encoding="utf-8")
        digest = file_hash(out / "shareable" / name)
        pages[name] = {"sha256": digest, "made_from": data_hashes(tables)}
    manifest.write_manifest(out / "sensitive" / "manifest.json", pages)


@pytest.mark.parametrize("name", ["region-05.pdf", "donnees/note.PDF"])
def test_a_pdf_which_nobody_can_search_is_not_published(run, tmp_path, name):
    study, _ = run
    path = study.paths.reports / "shareable" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"%PDF")
    with pytest.raises(UnusableInputError, match=rf"{name}: a PDF cannot be searched"):
        publish(study, tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_publish_copies_and_notes(run, tmp_path):
    study, tables = run
    files = publish(study, tmp_path / "web", day=dt.date(2026, 4, 1))
    assert sorted(path.name for path in files) == ["index.html", "region-05.html"]
    (entry,) = read_ledger(tables.parent / "ledger")
    assert entry.name == "2026-04-01-01" and entry.tables["counts"]["shown"].any()
    # what was published is an input of the next run: its pages are old now
    with pytest.raises(UnusableInputError, match="publish then"):
        publish(study, tmp_path / "web")
    made(study.paths.reports, "index.html", "region-03.html")
    (study.paths.reports / "shareable" / "region-05.html").unlink()
    (tmp_path / "web" / "notes.txt").write_text("mine", encoding="utf-8")
    publish(study, tmp_path / "web", day=dt.date(2026, 4, 1))
    assert sorted(p.name for p in (tmp_path / "web").iterdir()) == [
        "index.html", "notes.txt", LISTING, "region-03.html"]  # fmt: skip
    assert [entry.name for entry in read_ledger(tables.parent / "ledger")] == ["2026-04-01-01", "2026-04-01-02"]


def test_publish_refuses_what_is_not_finished(run, tmp_path):
    study, tables = run
    assert len(to_publish(study, tmp_path / "web")[0]) == 2
    with pytest.raises(UnusableInputError, match="somewhere else"):
        publish(study, study.paths.reports / "sensitive")
    page = study.paths.reports / "shareable" / "region-05.html"
    page.write_text("touched", encoding="utf-8")
    for asked in (publish, to_publish):
        with pytest.raises(UnusableInputError, match=r"region-05\.html"):
            asked(study, tmp_path / "web")
    page.unlink()
    (study.paths.reports / "shareable" / "index.html").unlink()
    with pytest.raises(UnusableInputError, match="no page"):
        publish(study, tmp_path / "web")
    assert not (tmp_path / "web").exists() and not (tables.parent / "ledger").exists()


@pytest.mark.thorough
def test_publish_takes_the_english_pages_too_and_refuses_them_when_they_are_old(run, tmp_path):
    study, _ = run
    out = study.paths.reports
    (out / "shareable" / "en").mkdir()
    made(out, "region-05.html", "index.html", "en/region-05.html", "en/index.html")
    files = publish(study, tmp_path / "web", day=dt.date(2026, 4, 1))
    assert tmp_path / "web" / "en" / "region-05.html" in files
    made(out, "region-05.html")
    with pytest.raises(UnusableInputError, match=r"^en/region-05\.html: .* --lang en"):
        publish(study, tmp_path / "web")


@pytest.mark.thorough
def test_publish_takes_the_method_page_that_the_run_gives_and_no_other(run, tmp_path):
    study, tables = run
    folder = study.paths.reports / "shareable"
    made(study.paths.reports, "region-05.html", "index.html")
    (folder / "index.html").write_text(f'<a href="{METHOD}">méthode</a>', encoding="utf-8")
    with pytest.raises(UnusableInputError, match=r"^methode\.html: missing"):
        publish(study, tmp_path / "web")
    (folder / METHOD).write_text(method_page(Run.read(tables), study.disclosure, "fr"), encoding="utf-8")
    assert tmp_path / "web" / METHOD in publish(study, tmp_path / "web", day=dt.date(2026, 4, 1))
    made(study.paths.reports, "region-05.html")
    (folder / METHOD).write_text(method_page(Run.read(tables), study.disclosure, "en"), encoding="utf-8")
    with pytest.raises(UnusableInputError, match="not as the run gives it now"):
        publish(study, tmp_path / "web")


@pytest.mark.thorough
def test_publish_takes_the_annex_that_the_run_gives_and_no_other(run, tmp_path):
    study, tables = run
    folder = study.paths.reports / "shareable"
    (folder / "index.html").write_text(f'<a href="{ANNEX}#region-05">annexe</a>', encoding="utf-8")
    (folder / METHOD).write_text(method_page(Run.read(tables), study.disclosure, "fr"), encoding="utf-8")
    with pytest.raises(UnusableInputError, match=r"^annexe\.html: missing"):
        publish(study, tmp_path / "web")
    text = annex(open_all(tables, study, language="fr"), run=Run.read(tables))
    (folder / ANNEX).write_text(text.replace("Estrie", "Autre"), encoding="utf-8")
    with pytest.raises(UnusableInputError, match=r"^annexe\.html: .*not as the run gives it now"):
        publish(study, tmp_path / "web")
    (folder / ANNEX).write_text(text, encoding="utf-8")
    assert tmp_path / "web" / ANNEX in publish(study, tmp_path / "web", day=dt.date(2026, 4, 1))


@pytest.mark.thorough
def test_a_listing_can_take_away_nothing_outside(run, tmp_path):
    study, _ = run
    (tmp_path / "web").mkdir()
    (tmp_path / "precious.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "web" / LISTING).write_text(json.dumps({"files": ["../precious.txt"]}), encoding="utf-8")
    publish(study, tmp_path / "web")
    assert (tmp_path / "precious.txt").exists()


@pytest.mark.thorough
def test_the_page_says_that_numbers_are_kept(run):
    study, tables = run
    (report,) = open_reports(tables, ["05"])
    assert "reste" not in str(sections._kept(report))
    before = report.counts.frame
    publish(study, study.paths.reports.parent / "web", day=dt.date(2026, 4, 1))
    raw = pd.read_parquet(tables / "counts.parquet")
    origin = raw["group"].eq("05") & raw["table"].eq("origin") & raw["key"].ne("total")
    largest = raw.loc[origin, "persons"].astype(int).idxmax()
    total = raw["group"].eq("05") & raw["table"].eq("origin") & raw["key"].eq("total")
    raw.loc[largest, "persons"] += 5
    raw.loc[total, "persons"] += 5
    raw.to_parquet(tables / "counts.parquet")
    (report,) = open_reports(tables, ["05"])
    pd.testing.assert_series_equal(report.counts.frame["persons_rounded"], before["persons_rounded"])
    assert "reste celui de la publication du 1er" in str(sections._kept(report)).replace("\u00a0", " ")
