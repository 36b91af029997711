"""Every kind of page in both languages, and a Chromium that is offline, once for all the tests of this folder.

Where there is no Chromium the tests skip, unless REQUIRE_BROWSER=1.
"""

import os
import shutil

import pytest

from every_page import write_pages
from made_once import made_once

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Name below `shareable/` → file."""
    made = made_once("pages", lambda: texts(write_pages(tmp_path_factory.mktemp("pages"))))
    folder = tmp_path_factory.mktemp("shareable")
    for name, text in made.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(text)
    return {name: folder / name for name in made}


def texts(pages):
    return {name: path.read_bytes() for name, path in pages.items()}


@pytest.fixture(scope="session")
def chromium():
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        reason = "no chromium, chromium-browser or google-chrome on this machine"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(f"REQUIRE_BROWSER=1, and there is {reason}")
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser(chromium):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def open_file(browser):
    """Opens a file offline; whatever it asks for beside itself, and whatever it complains of, is kept."""
    contexts = []

    def opened(path, width=1100, height=900):
        context = browser.new_context(offline=True, viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
