"""The same work on a Dask cluster: `--scheduler local`, or the address of a scheduler (docs/cluster.md).

The only module that imports Dask. It opens a client at the first task, checks that workers have the same versions of
the library and of its dependencies as this process, and gives a `concurrent.futures.Executor`, which is all that rooms
know of it. Data travel with their task; none are left on workers when the work is done, or fails.

Personal data travels between processes, so that an address of another machine is `tls://`. Plain `tcp://` is taken for
this machine alone, unless `TRAJECTORIES_PRIVATE_NETWORK=yes` says that nobody else is on the network. `local` makes
certificates of its own for one run: a scheduler takes orders from whoever reaches it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import ipaddress
import logging
import os
import platform
import secrets
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dask
from distributed import Client, KilledWorker, LocalCluster, Worker, WorkerPlugin
from distributed.comm import CommClosedError
from distributed.scheduler import NoWorkerError
from distributed.security import Security
from threadpoolctl import threadpool_limits

from ..deposits.files import usable_cores
from ..exceptions import ClusterError, TrajectoriesError, system_refusal
from ..folders import private_folder
from ..stamps import PACKAGE, source_hash
from ..study import Study
from ..version import __version__

LOCAL = "local"
PRIVATE_NETWORK = "TRAJECTORIES_PRIVATE_NETWORK"
# The libraries that the result of a task may depend on.
LIBRARIES = (
    "babel", "duckdb", "ipython", "Jinja2", "MarkupSafe", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas",
    "papermill", "pyarrow", "python-calamine", "rapidfuzz", "scipy", "statsmodels",
)  # fmt: skip
# Seconds: for a scheduler to answer, and for its first worker to be there.
PATIENCE = 20
# Dask serves pages about its work unencrypted, even without its dashboard: `local` serves none.
_NO_PAGES: dict[str, list[str]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
_HERE = "127.0.0.1:0"


@contextlib.contextmanager
def executor_at(scheduler: str, study: Study, workers: int | None = None) -> Iterator[Executor]:
    """
    The executor of a scheduler: connected when there is first work for it, dismissed when the block ends.

    Parameters
    ----------
    scheduler : str
        `local` (processes of this machine, one a core), or an address: `tls://machine:8786`.
    study : Study
        Its derived folder gives the scratch folder of `local`.
    workers : int, optional
        Processes of `local`.

    Raises
    ------
    ClusterError
        The address is none, or is of another machine and not encrypted; later, in a sentence, whatever keeps the
        workers from being reached, or from finishing.
    """
    check_address(scheduler)
    with contextlib.ExitStack() as stack:

        def connect() -> Executor:
            scratch = private_folder(private_folder(study.paths.derived) / "tmp")
            client = stack.enter_context(_client(scheduler, scratch, workers))
            stack.enter_context(_prepared(client, scheduler == LOCAL))
            return client.get_executor(pure=False)

        with _in_sentences(scheduler):
            yield ClusterExecutor(connect)


class ClusterExecutor(Executor):
    """
    The executor of a cluster, whose workers log nothing of the arguments of tasks.

    Dask would write a task that raised to the log of its worker, with its arguments and the error's message, which may
    hold what partners typed. So errors come back as values, and are raised here.

    Parameters
    ----------
    connect : callable
        Gives the executor of the cluster; called at the first task.
    """

    def __init__(self, connect: Callable[[], Executor]):
        self._connect = functools.cache(connect)

    def submit(self, work: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future:
        """One task; its result is (True, value) or (False, error)."""
        return self._connect().submit(_answer, functools.partial(work, **named), *arguments)

    def map(self, work: Callable[..., Any], *items: Iterable[Any], timeout: float | None = None) -> Iterator[Any]:  # type: ignore[override]
        """As `map`: all tasks are submitted at once, their results come in order."""
        futures = [self.submit(work, *arguments) for arguments in zip(*items, strict=False)]
        return (_answered(future.result(timeout)) for future in futures)


def _answer(work: Callable[..., Any], *arguments: Any) -> tuple[bool, Any]:
    """(True, result), or (False, (sentence, traceback or None))."""
    try:
        return True, work(*arguments)
    except TrajectoriesError as error:
        return False, (str(error), None)
    except OSError as error:
        return False, (f"A worker could not go on: {system_refusal(error)}", None)
    except Exception as error:
        return False, (type(error).__name__, traceback.format_exc())


def _answered(answer: tuple[bool, Any]) -> Any:
    done, value = answer
    if done:
        return value
    sentence, trace = value
    if trace is None:
        raise TrajectoriesError(sentence)
    raise RuntimeError(f"a task failed ({sentence}):\n{trace}")


def check_address(scheduler: str) -> None:
    """
    Refuse an address that is none, or over which personal data would travel in the clear.

    Examples
    --------
    >>> check_address("tcp://127.0.0.1:8786")
    >>> check_address("tcp://10.0.0.5:8786")
    Traceback (most recent call last):
    ...
    trajectories.exceptions.ClusterError: tcp://10.0.0.5:8786 is another machine, and tcp:// is not encrypted: ...
    """
    if scheduler == LOCAL:
        return
    try:
        parts = urlsplit(scheduler)
        complete = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and parts.port is not None
    except ValueError:
        complete = False
    if not complete:
        raise ClusterError(
            f"--scheduler {scheduler!r} is no address: give `local`, or the address that the scheduler said when it "
            "was started, such as tls://machine:8786 (docs/cluster.md)."
        )
    if not _is_closed(scheduler):
        raise ClusterError(
            f"{scheduler} is another machine, and tcp:// is not encrypted: names and birth dates would travel in the "
            f"clear. Start scheduler and workers with TLS and give tls://… (docs/cluster.md); where nobody else can "
            f"reach that network, say so with {PRIVATE_NETWORK}=yes."
        )


def _is_closed(address: str) -> bool:
    """Whether an address is encrypted, of this machine, or on a network declared private."""
    parts = urlsplit(address)
    if parts.scheme == "tls" or os.environ.get(PRIVATE_NETWORK) == "yes" or parts.hostname == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    return False


# ── the client, and its workers ───────────────────────────────────────────────────────────────────────────
@contextlib.contextmanager
def _client(scheduler: str, scratch: Path, workers: int | None) -> Iterator[Client]:
    """A client of the scheduler, once a worker is there."""
    with _quiet(), contextlib.ExitStack() as stack:
        target: str | LocalCluster = scheduler
        if scheduler == LOCAL:
            stack.enter_context(dask.config.set({"temporary-directory": str(scratch.absolute()), **_NO_PAGES}))
            try:
                target = stack.enter_context(
                    LocalCluster(
                        n_workers=workers or usable_cores(),
                        processes=True,
                        threads_per_worker=1,
                        security=True,
                        silence_logs=logging.CRITICAL,
                        dashboard_address=None,
                        worker_dashboard_address=_HERE,
                        scheduler_kwargs={"dashboard_address": _HERE},
                    )
                )
            except (OSError, RuntimeError) as error:
                raise ClusterError(
                    f"The workers of this machine could not be started ({type(error).__name__}): free memory and room "
                    f"in {scratch}, or work without --scheduler."
                ) from None
        else:
            _check_certificates(scheduler)
        try:
            client = stack.enter_context(Client(target, timeout=PATIENCE, set_as_default=False))
        except (OSError, RuntimeError) as error:  # a RuntimeError: encryption is required, and this is none
            raise ClusterError(
                f"{scheduler} does not answer ({type(error).__name__}): is the scheduler started there, does this "
                "machine reach that port, and are the certificates those of the same authority (docs/cluster.md)?"
            ) from None
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ClusterError(
                f"The scheduler {scheduler} has no worker: start one with `dask worker {scheduler}` (docs/cluster.md)."
            ) from None
        yield client


def _check_certificates(scheduler: str) -> None:
    """Refuse an encrypted address without certificates: a client that fails on them takes a minute to say so."""
    try:
        context = Security().get_connection_args("client").get("ssl_context")
    except (OSError, ValueError) as error:  # what ssl raises is an OSError
        why = f" ({type(error).__name__}: {error})"
    else:
        if context is not None or not scheduler.startswith("tls://"):
            return
        why = ""
    raise ClusterError(
        f"{scheduler} cannot be spoken to without this machine's certificates{why}: name them in "
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY (docs/cluster.md)."
    )


@contextlib.contextmanager
def _prepared(client: Client, ours: bool) -> Iterator[None]:
    """Check that the workers, also those that come later, are encrypted and have this process's versions."""
    addresses = client.scheduler_info(n_workers=-1)["workers"]
    if clear := sorted(address for address in addresses if not _is_closed(address)):
        raise ClusterError(
            f"The worker {clear[0]} is reached without encryption: start all workers with TLS (docs/cluster.md), or "
            f"say with {PRIVATE_NETWORK}=yes that nobody else can reach that network."
        )
    expected = of_this_process()
    for address, versions in client.run(of_this_process, on_error="return").items():
        _refuse_another(address, versions, expected)
    name = f"trajectories-{secrets.token_hex(4)}"
    client.register_plugin(Prepared(expected, ours), name=name)
    try:
        yield
    finally:
        # the scheduler may be gone
        with contextlib.suppress(Exception):
            client.unregister_worker_plugin(name)


def of_this_process() -> dict[str, str]:
    """The versions, in this process, of what the result of a task may depend on."""
    names = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    return {
        "trajectories": __version__,
        # notebooks travel with their task, and are elsewhere in an installed package
        "the source of trajectories": source_hash(names, without={".ipynb"})[:12],
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def _refuse_another(address: str, versions: dict[str, str] | Exception, ours: dict[str, str]) -> None:
    if isinstance(versions, Exception):
        raise ClusterError(
            f"The worker {address} has no trajectories, or another version ({type(versions).__name__}): install there "
            "what is installed here, by the same requirements.lock."
        )
    others = [
        f"{name} {versions.get(name)} (here: {here})" for name, here in ours.items() if versions.get(name) != here
    ]
    if others:
        raise ClusterError(
            f"The worker {address} has {', '.join(others)}: its results could differ. Install there what is installed "
            "here, by the same requirements.lock, and start it again."
        )


class Prepared(WorkerPlugin):
    """Prepares a worker before its first task: versions checked, one thread, a temporary folder of its own."""

    def __init__(self, expected: dict[str, str], ours: bool = False):
        self.expected, self.ours = expected, ours

    def setup(self, worker: Worker) -> None:
        """Refuses a worker, also one that came later, with other versions."""
        _refuse_another(worker.address, of_this_process(), self.expected)
        # closed to other users, and removed with the worker however it ends
        tempfile.tempdir = worker.local_directory
        threadpool_limits(1)
        if self.ours:
            # the process that started the worker hears Ctrl-C, and ends it
            signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences Dask's log messages and warnings."""
    log = logging.getLogger("distributed")
    before = log.level
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed.")]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in ("distributed", *names):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            # a group's stays travel with its task, which is done once
            warnings.filterwarnings("ignore", message="Sending large graph")
            yield
    finally:
        log.setLevel(before)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextlib.contextmanager
def _in_sentences(scheduler: str) -> Iterator[None]:
    """Failures of a cluster at work become a `ClusterError` with a sentence."""
    try:
        yield
    except (KilledWorker, NoWorkerError) as error:
        raise ClusterError(
            f"A task could not be done ({type(error).__name__}): every worker that began it was lost. Give the "
            "workers more memory, or fewer of them to a machine, and run the same command again."
        ) from None
    except (CancelledError, CommClosedError) as error:
        raise ClusterError(
            f"The scheduler {scheduler} was lost while it was at work ({type(error).__name__}): start it again, and "
            "run the same command again."
        ) from None
