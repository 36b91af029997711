"""`--pdf`: each page also as a tagged PDF beside it, printed by the Chromium of the machine.

`region-05.pdf` stands beside `region-05.html`, so that the two are moved, withheld and published together. A PDF is
made after the search of what is shared (leaks.py, which opens no PDF), from the very bytes that were searched and found
clean, less the links to other pages, which would carry the path of this machine. `sensitive/pdf.json` knows by hashes
which PDF is of which page: one that is of the page as it is now is kept, any other is removed.

Chromium works on a copy in a private folder, with a profile of its own and no network; it is ended with its children
when it takes too long or the run is interrupted. It writes the structure (headings, tables, alternative texts), the
language, the title and an outline into the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from ..exceptions import TrajectoriesError, UnusableInputError
from ..fingerprint import file_hash, opened, sealed
from ..folders import private_folder, replaced

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
LISTING = "pdf.json"
# Seconds; the largest page takes three.
PATIENCE = 120
_SETTINGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--user-agent=trajectories", "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
)  # fmt: skip
_LINK_AWAY = re.compile(rb'(<a\b[^>]*?) href="(?!#)[^"]*"')


def find_chromium() -> str:
    """
    The Chromium that prints the pages.

    Raises
    ------
    UnusableInputError
        There is none.
    """
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        raise UnusableInputError(
            "--pdf needs Chromium or Chrome, and neither is on this machine: install one (on Debian and Ubuntu, the "
            "package chromium), or leave --pdf out and print a page from a browser."
        )
    return found


def pdf_of(page: Path) -> Path:
    """
    Where the PDF of a page stands.

    Examples
    --------
    >>> pdf_of(Path("shareable/region-05.html")).as_posix()
    'shareable/region-05.pdf'
    """
    return page.with_suffix(".pdf")


class Printed:
    """
    The PDFs of a reports folder, and the pages that they were made from.

    Parameters
    ----------
    out : path
        The reports folder: `shareable/` and `sensitive/`.
    asked : mapping, optional
        Region → its page, for those that are to be printed.
    """

    def __init__(self, out: Path, asked: Mapping[str, Path] | None = None):
        self.shareable, self.sensitive = out / "shareable", out / "sensitive"
        self.asked = dict(asked or {})
        self._made = _read(self.sensitive / LISTING)

    def current(self) -> set[str]:
        """Names, below `shareable/`, of the PDFs that are of their page as it is now."""
        return {name for name in self._made if self._is_of_its_page(self.shareable / name)}

    def beside(self, page: Path) -> str | None:
        """The file name of the PDF that stands, or will stand, beside a page; None where there is none."""
        pdf = pdf_of(page)
        return pdf.name if page in self.asked.values() or self._is_of_its_page(pdf) else None

    def remove_old(self) -> None:
        """Remove what was made from a page that is no longer there, or no longer the same; nothing that others put."""
        kept = self.current()
        for name in set(self._made) - kept:
            (self.shareable / name).unlink(missing_ok=True)
        self._note({name: self._made[name] for name in kept})

    def print(self, *, without: Collection[str] = ()) -> dict[str, str]:
        """
        Print the pages that are asked for and whose PDF is not of them as they are now.

        Parameters
        ----------
        without : collection of str
            Regions whose page is no longer there.

        Returns
        -------
        dict
            Region → why its PDF could not be made, as a sentence; empty where all could.
        """
        faults = {}
        self.asked = {region: page for region, page in self.asked.items() if region not in without}
        for region, page in self.asked.items():
            if not self._is_of_its_page(pdf_of(page)):
                try:
                    self._print(page)
                except (TrajectoriesError, OSError) as error:
                    faults[region] = f"its page is ready, its PDF could not be made: {error}"
        self.asked = {region: page for region, page in self.asked.items() if region not in faults}
        return faults

    def _print(self, page: Path) -> None:
        content, pdf = page.read_bytes(), pdf_of(page)
        with _private(self.sensitive) as folder, replaced(pdf, self.sensitive) as scratch:
            shutil.copyfile(_printed(content, folder, find_chromium()), scratch)
        of = {"page": hashlib.sha256(content).hexdigest(), "pdf": file_hash(pdf)}
        self._note({**self._made, self._name(pdf): of})

    def _is_of_its_page(self, pdf: Path) -> bool:
        made, page = self._made.get(self._name(pdf)), pdf.with_suffix(".html")
        # a file that is not there has no hash, and is noted with none
        return bool(made) and made == {"page": file_hash(page), "pdf": file_hash(pdf)}

    def _name(self, pdf: Path) -> str:
        return pdf.relative_to(self.shareable).as_posix()

    def _note(self, made: dict[str, dict[str, str]]) -> None:
        if made == self._made:
            return
        self._made = made
        with replaced(private_folder(self.sensitive) / LISTING) as scratch:
            scratch.write_text(sealed(made), encoding="utf-8")


def _read(listing: Path) -> dict[str, dict[str, str]]:
    try:
        return opened(listing.read_bytes()) or {}
    except FileNotFoundError:
        return {}


@contextlib.contextmanager
def _private(sensitive: Path) -> Iterator[Path]:
    """A folder that its owner alone can open; on the disk of the reports, where a confined browser may read too."""
    about = {
        "prefix": f".pdf.{os.getpid()}.",
        "suffix": ".tmp",
        "ignore_cleanup_errors": True,
    }  # folders.sweep knows it
    with tempfile.TemporaryDirectory(dir=sensitive, **about) as folder:
        yield Path(folder)


def _printed(content: bytes, folder: Path, chromium: str) -> Path:
    """The PDF of a page, in the folder."""
    page, pdf = folder / "page.html", folder / "page.pdf"
    page.write_bytes(_LINK_AWAY.sub(rb"\1", content))
    # the administrator of a container has no sandbox to give
    alone = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    command = [chromium, *_SETTINGS, *alone, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={pdf}"]
    status = _run([*command, page.resolve().as_uri()])
    if not pdf.is_file() or not _is_whole(pdf.read_bytes()):
        raise UnusableInputError(f"{Path(chromium).name} wrote no PDF (exit status {status}).")
    return pdf


def _is_whole(pdf: bytes) -> bool:
    """A PDF to its end, with its structure."""
    return pdf.startswith(b"%PDF") and pdf.rstrip().endswith(b"%%EOF") and b"/StructTreeRoot" in pdf


def _run(command: Iterable[str]) -> int:
    """The exit status; whatever is still running at the end, children included, is ended."""
    process = subprocess.Popen(  # noqa: S603 - no part of it is a user's text
        list(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        raise UnusableInputError(f"{Path(process.args[0]).name} did not end within {PATIENCE} seconds.") from None
    finally:
        _end(process)


def _end(process: subprocess.Popen) -> None:
    """End a process and the children of its session, which may outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
