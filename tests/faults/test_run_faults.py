"""What a run meets, one fault at a time: a sentence, an exit status, nothing half-written, the same bytes in the end.

All is real but the estimates (invented_estimates.py). After each fault, all that is shared is whole; after the last, a
run that nobody disturbs ends in the same bytes as ever. Pages that raise, and processes that die as they make one, are
met in tests/functional/test_batch.py.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import invented_estimates
from commands import call, written
from report_tables import write_tables

ROOT = Path(__file__).parents[2]
SOME, A_HUNDRED = 3, 100
# Seconds in which workers whose run is gone are gone too.
PROMPT = 10


@dataclass(frozen=True)
class Peace:
    """A study with its deposits, the files of its run, and another study whose run may have been there before."""

    project: Path
    estimates: Path
    files: dict
    earlier: Path
    command: tuple
    n_told: int

    def start(self, folder, *, over=None):
        """The study in a folder of its own: as if nothing had run, or over what a run left in another project."""
        shutil.copytree(self.project, folder, ignore=shutil.ignore_patterns("derived", "reports"))
        for place in ("data/derived", "reports") if over else ():
            shutil.copytree(over / place, folder / place)
        return folder

    def begin(self, folder, *arguments, largest=None):
        """A command in a process of its own, that leads a group; no file of it may grow beyond `largest` bytes."""
        return Running(folder, arguments, self.estimates, largest)

    def run(self, folder, *arguments, **about):
        """The exit status of a command that is left in peace, and what it told people."""
        running = self.begin(folder, *arguments, **about)
        status = running.process.wait()
        return status, running.said()


class Running:
    """A command that has begun."""

    def __init__(self, folder, arguments, estimates, largest):
        self.out, self.err = folder / "out.txt", folder / "err.txt"
        told = {
            invented_estimates.VARIABLE: str(estimates), "TRAJECTORIES_KEY": "a key for the tests only",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]),
        }  # fmt: skip
        limits = resource.RLIMIT_FSIZE, (largest or resource.RLIM_INFINITY,) * 2
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, invented_estimates.__file__, *map(str, arguments)], cwd=folder, stdout=out, stderr=err,
                env={**os.environ, **told}, start_new_session=True, preexec_fn=lambda: resource.setrlimit(*limits),
            )  # fmt: skip

    def told(self):
        """The lines of `--json` that are there, whole."""
        return self.out.read_text(encoding="utf-8").split("\n")[:-1]

    def said(self):
        """What people read; no traceback is among it."""
        text = self.out.read_text(encoding="utf-8") + self.err.read_text(encoding="utf-8")
        assert "Traceback" not in text, text
        return text

    def workers(self):
        """The processes of its pool, as they are now."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
            return [one for one in found if "--multiprocessing-fork" in one.cmdline()]
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            return []

    def signal(self, number, *, to_all):
        """A signal to the run alone, as a scheduler sends it, or to its whole group, as a terminal does."""
        (os.killpg if to_all else os.kill)(self.process.pid, number)

    def kill(self):
        self.signal(signal.SIGKILL, to_all=True)
        self.process.wait()


def peace_of(place, *regions):
    """60 invented households; `earlier` is of another seed, and lacks one of the deposits."""
    estimates, project, earlier = write_tables(place / "estimates"), place / "now", place / "earlier"
    project.mkdir()
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    (project / "study.toml").write_text(text, encoding="utf-8")
    asked = ("--households", 60, "--organisations", 2, "--defects", "none")
    assert call("simulate", "--out", project / "data", *asked) == 0
    shutil.copytree(project, earlier)
    (earlier / "study.toml").write_text(text.replace("\nseed = 1", "\nseed = 2"), encoding="utf-8")
    deposits = sorted(path for path in (earlier / "data" / "raw").rglob("*") if path.is_file())
    random.Random(1).choice(deposits).unlink()
    command = ("run", "--json", *(part for region in regions for part in ("--region", region)))
    for folder in (earlier, project):
        running = Running(folder, command, estimates, None)
        assert running.process.wait() == 0, running.said()
    return Peace(project, estimates, written(project), earlier, command, len(running.told()))


@pytest.fixture(scope="module")
def peace(tmp_path_factory):
    """A page takes a third of a run: one of them, where which is made while another waits is not what is asked."""
    return peace_of(tmp_path_factory.mktemp("study"), "05")


@pytest.fixture(scope="module")
def peace_of_two(tmp_path_factory):
    return peace_of(tmp_path_factory.mktemp("study"), "03", "05")


def shared(files):
    return {name: content for name, content in files.items() if "/shareable/" in name}


def half_written(files, *known):
    """Shared files that no run left so; an index of other pages is whole if it is a whole page."""
    return [
        name for name, content in shared(files).items()
        if not any(left.get(name) == content for left in known)
        and not (name.endswith("index.html") and content.rstrip().endswith(b"</html>"))
    ]  # fmt: skip


def gone(processes):
    """Wait for the end of processes that nobody of ours has to bury; those that are still there."""
    _, left = psutil.wait_procs(processes, timeout=PROMPT)
    return [one for one in left if one.status() != psutil.STATUS_ZOMBIE]


def wait_for(running, reached):
    while running.process.poll() is None and not reached():
        time.sleep(0.01)


# ── kills ─────────────────────────────────────────────────────────────────────────────────────────────────
def kill(running, whom, chance, n_told):
    """Kill the whole group of a run, the run alone, or one of its workers; the workers that there were."""
    if whom == "worker":
        wait_for(running, running.workers)
    else:
        told = chance.randrange(1, n_told)
        wait_for(running, lambda: len(running.told()) >= told)
    time.sleep(chance.random())
    workers = running.workers()
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        if whom != "worker":
            running.signal(signal.SIGKILL, to_all=whom == "group")
        elif workers:
            chance.choice(workers).kill()
    return workers


def disturb(peace, folder, number, chance):
    """A run that somebody kills, and the run after it; whether anybody was killed."""
    # twelve in a row are all that can be: whom, over what, by how many processes
    whom, over = ("group", "run", "worker")[number % 3], peace.earlier if number % 2 else None
    peace.start(folder, over=over)
    arguments = (*peace.command, "--jobs", 1 + number // 2 % 2)
    running = peace.begin(folder, *arguments)
    workers = kill(running, whom, chance, peace.n_told)
    status = running.process.wait()
    assert status in ((0,) if whom == "worker" else (0, -signal.SIGKILL)), (number, status, running.said())
    left = written(folder)
    assert not half_written(left, written(over) if over else {}, peace.files), number
    assert not gone(workers), (number, "workers outlive their run")
    after = written(folder)
    for name in {*left, *after}:
        if "/shareable/" in name or name.endswith("manifest.json"):
            assert left.get(name) == after.get(name), f"{name} was written by a process whose run was gone"
    status_after, said = peace.run(folder, *arguments)
    assert status_after == 0, said
    assert written(folder) == peace.files, number
    shutil.rmtree(folder)
    return status != 0 or (whom == "worker" and bool(workers))


def kills(peace, folder, n, seed):
    chance = random.Random(seed)
    struck = [disturb(peace, folder / f"{number}", number, chance) for number in range(n)]
    assert sum(struck) > 0.6 * n, "too many kills come too late"


def test_kills_at_any_moment_each_followed_by_a_run_end_in_the_same_bytes(peace, tmp_path):
    kills(peace, tmp_path, SOME, seed=11)


@pytest.mark.slow
def test_a_hundred_kills_each_followed_by_a_run_end_in_the_same_bytes(peace_of_two, tmp_path):
    kills(peace_of_two, tmp_path, A_HUNDRED, seed=100)


def test_the_next_run_sweeps_away_what_a_killed_one_was_writing(peace, tmp_path):
    folder = peace.start(tmp_path / "a", over=peace.project)
    running = peace.begin(folder, "build", "--force")
    wait_for(running, lambda: (folder / "data" / "derived" / ".lock").exists())
    running.kill()
    (folder / "data" / "derived" / "tmp").mkdir(exist_ok=True)
    at_work = psutil.Process().pid
    for place in ("data/derived/tmp", "reports/sensitive/notebooks"):
        (folder / place / f".region-05.ipynb.{running.process.pid}.0123abcd.tmp.ipynb").write_text("half")
        (folder / place / f".region-05.html.{at_work}.0123abcd.tmp").write_text("of a process at work")
    assert peace.run(folder, *peace.command)[0] == 0
    left = {name for name in written(folder) if name.rpartition("/")[2].startswith(".")}
    assert len(left) == 2 and all(str(at_work) in name for name in left)


# ── two at once, Ctrl-C, a full disk ──────────────────────────────────────────────────────────────────────
def test_the_second_of_two_runs_is_refused_and_the_first_ends_as_ever(peace, tmp_path):
    folder, elsewhere = peace.start(tmp_path / "a"), tmp_path / "b"
    elsewhere.mkdir()
    first = peace.begin(folder, *peace.command)
    wait_for(first, first.told)
    status, said = peace.run(elsewhere, "run", "--study", folder / "study.toml")
    assert status == 2 and f"is held by another run (process {first.process.pid}, since" in said
    assert first.process.wait() == 0 and written(folder) == peace.files


def test_an_interrupt_at_any_stage_ends_with_130_and_leaves_no_process(peace, tmp_path):
    folder = peace.start(tmp_path / "a", over=peace.earlier)
    for stage, to_all in (("build", True), ("analyse", False), ("pages", True), ("pages", False)):
        running = peace.begin(folder, *peace.command)
        wait_for(running, lambda: any(f'"{stage}"' in line for line in running.told()))  # noqa: B023
        if stage == "pages":
            wait_for(running, running.workers)
        workers = running.workers()
        running.signal(signal.SIGINT, to_all=to_all)
        assert running.process.wait() == 130, (stage, running.said())
        assert "Interrupted: what was finished is kept" in running.said()
        assert not gone(workers), stage
        assert not half_written(written(folder), written(peace.earlier), peace.files), stage
    assert peace.run(folder, *peace.command)[0] == 0 and written(folder) == peace.files


@pytest.mark.parametrize("place", ["data/derived", "reports/sensitive/tables", "reports/shareable"])
def test_a_disk_that_is_full_at_any_stage_is_a_sentence_and_costs_nothing_else(peace, tmp_path, place):
    folder = peace.start(tmp_path / "a", over=peace.project)
    shutil.rmtree(folder / place)
    largest = max(len(content) for name, content in peace.files.items() if name.startswith(place))
    status, said = peace.run(folder, *peace.command, largest=largest - 1)
    # where pages alone do not fit, each region fails by itself
    assert status in (1, 2) and "File too large. Make room on that disk" in said, said
    assert not half_written(written(folder), peace.files)
    assert not [name for name in written(folder) if name.endswith(".tmp")]
    assert peace.run(folder, *peace.command)[0] == 0 and written(folder) == peace.files


# ── damage ────────────────────────────────────────────────────────────────────────────────────────────────
def truncated(content, chance):
    return content[: chance.randrange(len(content))]


def flipped(content, chance):
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << chance.randrange(8))]) + content[at + 1 :]


def emptied(content, chance):
    return b""


DAMAGE = (truncated, flipped, emptied)
# Decisions of a person, which no run can make again: a damaged file is a sentence (linkage/review.py).
DECIDED = "linkage_review.csv"


def test_whatever_a_run_left_is_damaged_the_next_makes_it_again(peace, tmp_path):
    folder, chance = peace.start(tmp_path / "a", over=peace.project), random.Random(3)
    for number, (name, content) in enumerate(peace.files.items()):
        if not name.endswith(DECIDED):
            (folder / name).write_bytes(DAMAGE[number % 3](content, chance))
    status, said = peace.run(folder, *peace.command)
    assert status == 0, said
    assert written(folder) == peace.files


@pytest.mark.slow
def test_each_file_that_is_damaged_alone_is_made_again(peace_of_two, tmp_path):
    folder, chance = peace_of_two.start(tmp_path / "a", over=peace_of_two.project), random.Random(7)
    for number, (name, content) in enumerate(sorted(peace_of_two.files.items())):
        # an executed notebook is there to be looked at: it is made again with its page, and nothing comes from it
        if name.endswith((DECIDED, ".ipynb")):
            continue
        (folder / name).write_bytes(DAMAGE[number % 3](content, chance))
        status, said = peace_of_two.run(folder, *peace_of_two.command)
        assert status == 0, (name, said)
        assert written(folder) == peace_of_two.files, name


@pytest.mark.parametrize("name", ["cohort.parquet", "build.json"])
def test_a_report_of_damaged_tables_is_refused_with_a_sentence(peace, tmp_path, name):
    folder = peace.start(tmp_path / "a", over=peace.project)
    path = folder / "data" / "derived" / name
    path.write_bytes(flipped(path.read_bytes(), random.Random(name)))
    before = written(folder)
    status, said = peace.run(folder, "report")
    assert status == 2
    assert "run `trajectories build`" in said or "rebuild with `trajectories build`" in said
    assert written(folder) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_decisions_are_a_sentence_or_none(peace, tmp_path, damage):
    folder = peace.start(tmp_path / "a", over=peace.project)
    (path,) = folder.rglob(DECIDED)
    path.write_bytes(damage(path.read_bytes(), random.Random(damage.__name__)))
    status, said = peace.run(folder, *peace.command)
    assert status == 0 or (status == 2 and DECIDED in said), said
