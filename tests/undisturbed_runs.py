"""What a run leaves when nobody disturbs it: what those that are disturbed are held against."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from quick_line import ASKED, written

# Seconds in which workers whose run is gone are gone too.
PROMPT = 10


@dataclass(frozen=True)
class Undisturbed:
    """
    The study, what a run leaves, what one before it left; the seconds at which it told each line, and its end.

    `work`: seconds that a worker of its pool computes, which do not depend on what else the machine does.
    """

    study: Path
    files: dict
    before: dict
    told: list
    seconds: float
    work: float

    def at(self, share):
        """A moment of the duration, as the lines told by then and the seconds since: others are faster, or slower."""
        moment = share * self.seconds
        told = sum(at <= moment for _, at in self.told)
        since = max((at for _, at in self.told if at <= moment), default=0.0)
        return told, moment - since

    @property
    def pages(self):
        """How many lines are told once the pages begin."""
        return 1 + next(at for at, (one, _) in enumerate(self.told) if one["message"] == "pages")


def undisturbed(line, study):
    """The runs of a study (conftest.py) that nobody disturbs: both of it left in their places."""
    found = {}
    for name in ("then", "now"):
        folder = study / name
        for place in ("reports", "data/derived"):
            shutil.rmtree(folder / place, ignore_errors=True)
        assert line.run(folder, "run", "--json", *ASKED) == 0
        found[name] = written(folder)
    # once more, warm, with workers as they are
    folder = study / "timed"
    start(study, folder, afresh=True)
    began, times, work = time.monotonic(), [], 0.0
    run = line.begin(folder, "run", "--json", *ASKED)
    while is_there(run.pid):
        times += [time.monotonic() - began] * (len(run.events) - len(times))
        work = max(work, run.work())
        time.sleep(0.01)
    seconds = time.monotonic() - began
    assert run.wait() == 0, run.err.read_text()
    other = differing(written(folder), found["now"])
    assert not other, other
    times += [seconds] * (len(run.events) - len(times))
    told = list(zip(run.events, times, strict=True))
    shutil.rmtree(folder)
    return Undisturbed(study, found["now"], found["then"], told, seconds, work)


def differing(these, those):
    """The names of files that are not the same, or not in both."""
    return sorted(name for name in {*these, *those} if these.get(name) != those.get(name))


def start(study, folder, *, afresh):
    """The study as it is now: in an empty folder, or over what an earlier run left."""
    shutil.copytree(study / "now", folder, ignore=shutil.ignore_patterns("derived", "reports"))
    if not afresh:
        for place in ("data/derived", "reports"):
            shutil.copytree(study / "then" / place, folder / place)


def is_there(pid):
    """Whether a process still runs, whoever has to bury it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(processes):
    """Wait for the end of processes that nobody of ours has to bury; those that are still there."""
    ends = time.monotonic() + PROMPT
    while time.monotonic() < ends:
        processes = [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        if not processes:
            break
        time.sleep(0.01)
    return processes
