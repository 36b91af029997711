"""What a run meets, one fault at a time: a sentence, an exit status, nothing half-written, the same bytes in the end.

First kills at any moment, each followed by a run. A draw: from an empty folder, or over what a run of earlier deposits
and settings left; the whole group of the run is killed, the run alone, or one of its workers; at a moment of the whole
duration, right after something that the run told, or as a worker begins and works. Then the other faults. After each,
all that is shared is whole; after the last, a run that nobody disturbs ends in the same bytes as ever.

One file, since its runs are made once a process of the tests.
"""

import contextlib
import os
import random
import shutil
import signal
import time
from dataclasses import dataclass

import psutil
import pytest

from quick_line import ASKED, written
from undisturbed_runs import gone, is_there, start, undisturbed

A_DOZEN, A_HUNDRED = 12, 100
RUN = ("run", "--json", *ASKED)


def shared(files):
    return {name: content for name, content in files.items() if "/shareable/" in name}


def half_written(files, *known):
    """Shared files that no run left so; an index of other pages is whole if it is a whole page."""
    return [
        name for name, content in shared(files).items()
        if not any(left.get(name) == content for left in known)
        and not (name.endswith("index.html") and content.rstrip().endswith(b"</html>"))
    ]  # fmt: skip


def said(folder):
    """What a run told people; no traceback is among it."""
    text = (folder / "err.txt").read_text(encoding="utf-8")
    assert "Traceback" not in text, text
    return text


def messages(folder):
    return (folder / "out.txt").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Draw:
    """Whom, when (lines told, and seconds since; or seconds that a worker computed), from where, how many workers."""

    number: int
    whom: str
    told: int
    seconds: float
    work: float
    afresh: bool
    jobs: int

    @classmethod
    def of(cls, number, peaceful, chance, *, forks):
        """Of six: two at any moment, one after any line, and three, of a worker or the run alone, among the pages."""
        whom = ("group", "run", "worker")[number % 3]
        (told, seconds), work = peaceful.at(chance.random()), 0.0
        if whom == "worker" or number % 6 == 4:
            told, seconds, work = peaceful.pages, 0.0, peaceful.work * chance.random()
        elif number % 6 == 3:
            told, seconds = chance.randrange(1, len(peaceful.told)), chance.random() * 0.05
        if forks and whom == "group":
            # workers that fork are quicker than those of the run that was timed
            seconds = min(seconds, chance.random() * 0.3)
        return cls(number, whom, told, seconds, work, bool(number // 2 % 2), 1 + number % 2)

    def wait(self, run):
        while len(run.events) < self.told and is_there(run.pid):
            time.sleep(0.005)
        ends = time.monotonic() + self.seconds
        while time.monotonic() < ends and is_there(run.pid):
            time.sleep(0.005)
        # after the last page its worker is gone, and the run tells more
        while run.work() < self.work and is_there(run.pid) and not any(one["message"] == "files" for one in run.events):
            time.sleep(0.005)

    def strike(self, run, workers, chance):
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if self.whom == "group":
                os.killpg(run.pid, signal.SIGKILL)
            elif self.whom == "run":
                os.kill(run.pid, signal.SIGKILL)
            elif workers:
                chance.choice(workers).kill()


def disturb(line, folder, peaceful, draw, chance):
    """One draw, and the run after it; its exit status, and how many files there were in between."""
    start(peaceful.study, folder, afresh=draw.afresh)
    known = ({} if draw.afresh else peaceful.before, peaceful.files)
    arguments = ("run", "--json", "--jobs", draw.jobs, *ASKED)
    # where all die at once it does not matter what workers inherit
    run = line.begin(folder, *arguments, forks=line.light and draw.whom == "group")
    draw.wait(run)
    workers = run.children()
    draw.strike(run, workers, chance)
    status = run.wait()
    assert status in ((0,) if draw.whom == "worker" else (0, -signal.SIGKILL)), (draw, status, run.err.read_text())
    left = written(folder)
    assert not half_written(left, *known), draw
    assert not gone(workers), (draw, "workers outlive their run")
    after = written(folder)
    for name in {*left, *after}:
        if "/shareable/" in name or name.endswith("manifest.json"):
            assert left.get(name) == after.get(name), (draw, f"{name} was written by a process whose run was gone")
    assert line.run(folder, *arguments) == 0, (draw, (folder / "err.txt").read_text())
    found = written(folder)
    assert sorted(found) == sorted(peaceful.files), draw
    assert [name for name in found if found[name] != peaceful.files[name]] == [], draw
    shutil.rmtree(folder)
    return status, len(left), len(workers)


def campaign(line, peaceful, tmp_path, draws, seed):
    print(f"\nundisturbed: {peaceful.seconds:.1f} s, {len(peaceful.files)} files, {len(peaceful.told)} lines")
    chance, struck = random.Random(seed), 0
    for number in range(draws):
        draw = Draw.of(number, peaceful, chance, forks=line.light)
        status, n_files, n_workers = disturb(line, tmp_path / f"{number}", peaceful, draw, chance)
        struck += status != 0 or (draw.whom == "worker" and n_workers > 0)
        print(f"{draw}: status {status}, {n_files} files and {n_workers} workers then")
    assert struck > 0.6 * draws, "too many draws come too late to kill anybody"


def test_a_dozen_kills_each_followed_by_a_run_end_in_the_same_bytes(light, peaceful, tmp_path):
    campaign(light, peaceful, tmp_path, A_DOZEN, seed=11)


@pytest.mark.slow
def test_a_hundred_kills_each_followed_by_a_run_end_in_the_same_bytes(heavy, study, tmp_path):
    peaceful = undisturbed(heavy, shutil.copytree(study, tmp_path / "study"))
    campaign(heavy, peaceful, tmp_path, A_HUNDRED, seed=100)


def test_the_second_of_two_runs_is_refused_and_the_first_ends_as_ever(light, peaceful, tmp_path):
    start(peaceful.study, tmp_path / "a", afresh=True)
    first = light.begin(tmp_path / "a", *RUN, forks=True)
    while not first.events:
        time.sleep(0.005)
    # from another folder, to see both
    (tmp_path / "b").mkdir()
    assert light.run(tmp_path / "b", "run", "--study", tmp_path / "a" / "study.toml", *ASKED) == 2
    assert f"is held by another run (process {first.pid}, since" in said(tmp_path / "b")
    assert first.wait() == 0 and written(tmp_path / "a") == peaceful.files


def test_a_page_that_raises_and_a_process_that_dies_twice_cost_their_regions_only(light, peaceful, tmp_path):
    # pages of an earlier run are there, and must not stand for those that fail
    start(peaceful.study, tmp_path / "a", afresh=False)
    assert light.run(tmp_path / "a", *RUN, QUICK_LINE_RAISES="03", QUICK_LINE_DIES="05") == 1
    said(tmp_path / "a")
    told = messages(tmp_path / "a")
    assert "Region 03 failed: RuntimeError: panne voulue (details: sensitive/logs/region-03.txt)" in told
    assert "Region 05 failed: the process that made this page died twice" in told
    pages = sorted(name.rpartition("/")[2] for name in shared(written(tmp_path / "a")) if "region-" in name)
    assert pages == ["region-09.html"] and not half_written(written(tmp_path / "a"), peaceful.files)
    index = (tmp_path / "a" / "reports" / "shareable" / "index.html").read_text(encoding="utf-8")
    assert "region-09" in index and "region-03" not in index and "region-05" not in index
    assert light.run(tmp_path / "a", *RUN) == 0 and written(tmp_path / "a") == peaceful.files


def test_an_interrupt_at_any_stage_ends_with_130_and_leaves_no_process(light, peaceful, tmp_path):
    folder = tmp_path / "a"
    start(peaceful.study, folder, afresh=False)
    # in the build; after it; while workers start; while they import the library, of the run alone and of all
    moments = [("build", 0, True), ("analyse", 0, False), *(("pages", work, work == 0.3) for work in (0.02, 0.3, 0.6))]
    for number, (told, work, alone) in enumerate(moments):
        run = light.begin(folder, *RUN)
        while is_there(run.pid) and not (
            any(told in (one["stage"], one["message"]) for one in run.events) and run.work() >= work * peaceful.work
        ):
            time.sleep(0.005)
        workers = run.children()
        assert workers or not work, number
        # a terminal sends it to all, a scheduler to the run alone
        (run.interrupt if alone else run.interrupt_all)()
        status = run.wait()
        assert status == 130 and "Interrupted: what was finished is kept" in said(folder), (number, said(folder))
        assert not gone(workers), number
        assert not half_written(written(folder), peaceful.before, peaceful.files), number
    assert light.run(folder, *RUN) == 0 and written(folder) == peaceful.files


def test_a_disk_that_is_full_at_any_stage_is_a_sentence_and_costs_nothing_else(light, peaceful, tmp_path):
    folder = tmp_path / "a"
    start(peaceful.study, folder, afresh=True)
    # the largest file of the build, of the analysis, a page, a file of data (bytes)
    for room, failed in ((100_000, "records"), (120_000, "occupation"), (200_000, "a page"), (500_000, "a.csv")):
        assert light.run(folder, *RUN, largest=room) == 2, (failed, said(folder))
        told = said(folder) + messages(folder)
        assert "File too large. Make room on that disk" in told, (failed, told)
        assert not half_written(written(folder), peaceful.files), failed
        assert not [name for name in written(folder) if name.endswith(".tmp")], failed
    assert light.run(folder, *RUN) == 0 and written(folder) == peaceful.files


def truncated(content, chance):
    return content[: chance.randrange(len(content))]


def flipped(content, chance):
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]


def emptied(content, chance):
    return b""


# Decisions of a person, which no run can make again: a damaged file is a sentence (persons/review.py).
DECIDED = "linkage_review.csv"


@pytest.mark.parametrize("damage", [truncated, flipped, emptied])
def test_whatever_a_run_left_is_damaged_the_next_makes_it_again(light, peaceful, tmp_path, damage):
    folder, chance = tmp_path / "a", random.Random(damage.__name__)
    shutil.copytree(peaceful.study / "now", folder)
    for name, content in peaceful.files.items():
        if not name.endswith(DECIDED):
            (folder / name).write_bytes(damage(content, chance))
    assert light.run(folder, *RUN) == 0, said(folder)
    said(folder)
    assert written(folder) == peaceful.files


@pytest.mark.slow
def test_each_file_that_is_damaged_alone_is_made_again(light, peaceful, tmp_path):
    folder, chance = tmp_path / "a", random.Random(7)
    shutil.copytree(peaceful.study / "now", folder)
    for number, (name, content) in enumerate(sorted(peaceful.files.items())):
        # an executed notebook is there to be looked at: it is made again with its page, and nothing comes from it
        if name.endswith((DECIDED, ".ipynb")):
            continue
        (folder / name).write_bytes((flipped, truncated, emptied)[number % 3](content, chance))
        assert light.run(folder, *RUN) == 0, (name, said(folder))
        assert written(folder) == peaceful.files, name


@pytest.mark.parametrize("name", ["cohort.parquet", "records.parquet", "build.json"])
def test_a_report_of_damaged_tables_is_refused_with_a_sentence(light, peaceful, tmp_path, name):
    folder, chance = tmp_path / "a", random.Random(name)
    shutil.copytree(peaceful.study / "now", folder)
    path = folder / "data" / "derived" / name
    path.write_bytes(flipped(path.read_bytes(), chance))
    before = written(folder)
    assert light.run(folder, "report", *ASKED) == 2
    assert "run `trajectories build`" in said(folder) or "rebuild with `trajectories build`" in said(folder)
    assert written(folder) == before


def test_the_next_run_sweeps_away_what_a_killed_one_was_writing(light, peaceful, tmp_path):
    folder = tmp_path / "a"
    shutil.copytree(peaceful.study / "now", folder)
    run = light.begin(folder, "build", "--force")
    run.kill()
    run.wait()
    for place in ("data/derived/tmp", "reports/sensitive/notebooks"):
        (folder / place / f".region-05.ipynb.{run.pid}.0123abcd.tmp.ipynb").write_text("half")
        (folder / place / f".region-05.html.{light.process.pid}.0123abcd.tmp").write_text("of a process at work")
    assert light.run(folder, *RUN) == 0
    left = {name for name in written(folder) if name.rpartition("/")[2].startswith(".")}
    assert len(left) == 2 and all(str(light.process.pid) in name for name in left)


@pytest.mark.parametrize("damage", [truncated, flipped, emptied])
def test_damaged_decisions_are_a_sentence_or_none(light, peaceful, tmp_path, damage):
    folder, chance = tmp_path / "a", random.Random(damage.__name__)
    shutil.copytree(peaceful.study / "now", folder)
    (path,) = folder.rglob(DECIDED)
    path.write_bytes(damage(path.read_bytes(), chance))
    status = light.run(folder, *RUN)
    assert status == 0 or (status == 2 and DECIDED in said(folder)), said(folder)
