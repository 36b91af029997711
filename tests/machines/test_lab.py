"""JupyterLab on real data: for its owner alone, nothing asked of the network, no output in what is saved."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from tornado.web import HTTPError

from commands import call
from trajectories.cli.lab import arguments, prepare_environment, serve
from trajectories.cli.notebook_saving import strip_on_save, stripped
from trajectories.exceptions import TrajectoriesError
from trajectories.pipeline import nearest_study
from trajectories.study import Study

SHOWN = {"output_type": "stream", "name": "stdout", "text": "Zhang Wei"}


def notebook():
    code = {
        "id": "a", "cell_type": "code", "source": "people", "execution_count": 3, "outputs": [SHOWN],
        "metadata": {"tags": ["parameters", "keep_output"], "keep_output": True, "varInspector": "Zhang Wei"},
    }  # fmt: skip
    text = {"id": "b", "cell_type": "markdown", "source": "# Title", "metadata": {}}
    kernel = {"name": "python3", "display_name": "Python 3"}
    about = {
        "kernelspec": kernel,
        "language_info": {"name": "python", "version": "3.12"},
        "widgets": {"state": "Zhang"},
    }
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": [code, text]}


def test_what_a_notebook_showed_is_taken_out_and_what_its_author_wrote_stays():
    before = notebook()
    after = stripped(before)
    assert "Zhang" not in json.dumps(after)
    code, text = after["cells"]
    assert (code["source"], code["outputs"], code["execution_count"]) == ("people", [], None)
    assert code["metadata"]["tags"] == ["parameters", "keep_output"]
    assert text == before["cells"][1]
    kernel = before["metadata"]["kernelspec"]
    assert after["metadata"] == {"kernelspec": kernel, "language_info": {"name": "python"}}
    assert before == notebook()
    assert stripped(after) == after


@pytest.mark.parametrize("kind", ["text", "base64"])
def test_an_uploaded_notebook_is_stripped_too(kind):
    text = json.dumps(notebook())
    content = base64.b64encode(text.encode()).decode() if kind == "base64" else text
    model = {"type": "file", "format": kind, "content": content}
    strip_on_save(model=model, path="a/new.ipynb", contents_manager=None)
    saved = base64.b64decode(model["content"]).decode() if kind == "base64" else model["content"]
    assert json.loads(saved) == stripped(notebook())


@pytest.mark.parametrize(
    "model",
    [
        {"type": "notebook", "content": {"nbformat": 3, "metadata": {}, "worksheets": []}},
        {"type": "file", "format": "text", "content": "{"},
        {"type": "file", "format": "base64", "content": "e30=", "chunk": 1},
    ],
)
def test_what_cannot_be_stripped_is_not_saved(model):
    # any other error would let JupyterLab go on with the save
    with pytest.raises(HTTPError, match="not saved") as refused:
        strip_on_save(model=model, path="é.ipynb")
    assert refused.value.status_code == 400


def test_other_files_are_saved_as_they_are():
    model = {"type": "file", "format": "text", "content": "a note"}
    strip_on_save(model=model, path="note.md")
    assert model["content"] == "a note"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "study.toml").write_text('[paths]\nraw = "here"\n', encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return tmp_path


def test_the_command_asks_for_this_machine_a_token_and_no_network(project, capsys):
    assert call("lab", "--study", project / "study.toml", "--port", 9999, "--dry-run") == 0
    said = capsys.readouterr().out
    asked = arguments(project / "notebooks", 9999)
    assert all(option in said for option in asked)
    assert "--ServerApp.ip=127.0.0.1" in asked
    assert "--KernelManager.transport_encryption=required" in asked
    assert not re.search(r"token|password", " ".join(asked))  # of the command line, everyone sees
    assert not (project / "data").exists()


def test_without_notebooks_the_command_says_where_they_would_be(project, capsys):
    (project / "notebooks").rmdir()
    assert call("lab", "--study", project / "study.toml") == 2
    assert f"{project / 'notebooks'} does not exist" in capsys.readouterr().err


def test_jupyter_keeps_its_files_where_the_owner_alone_may_look(project, monkeypatch):
    os.environ["JUPYTER_TOKEN"] = "known"
    file = project / "study.toml"
    prepare_environment(Study.read(file), file)
    assert "JUPYTER_TOKEN" not in os.environ
    home = project / "data" / "derived" / "lab"
    for variable in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        assert Path(os.environ[variable]).parent == home
        assert Path(os.environ[variable]).stat().st_mode & 0o777 == 0o700
    # a notebook anywhere finds the study
    monkeypatch.chdir("/")
    assert nearest_study().paths.raw == project / "here"


@pytest.mark.parametrize(("token", "generated"), [("", True), ("known", False)])
def test_a_token_of_the_machine_or_none_is_refused(monkeypatch, token, generated):
    from jupyterlab.labapp import LabApp

    provider = SimpleNamespace(token=token, token_generated=generated)
    server = SimpleNamespace(identity_provider=provider, start=lambda: pytest.fail("started"))
    monkeypatch.setattr(LabApp, "initialize_server", lambda asked: server)
    with pytest.raises(TrajectoriesError, match="not started"):
        serve([])


def test_a_server_wants_its_token_and_saves_without_outputs(project):
    """Once for real: start, ask without and with the token, save through its own interface, stop."""
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    command = [sys.executable, "-m", "trajectories", "lab", "--no-browser", "--port", str(port)]
    environment = {**os.environ, "JUPYTER_TOKEN": "known", "HOME": str(project / "home")}
    log = project / "log"
    with log.open("w") as file:
        server = subprocess.Popen(command, cwd=project, env=environment, stdout=file, stderr=file)
    try:
        base, token = started(server, log)
        assert not base.endswith(f":{port}")
        where = f"{base}/api/contents/seen.ipynb"
        for wrong in (None, "known"):
            assert asked(where, wrong)[0] == 403
        assert asked(where, token, {"type": "notebook", "format": "json", "content": notebook()})[0] == 201
        # what JupyterLab keeps to go back to
        assert asked(f"{where}/checkpoints", token, {}, "POST")[0] == 201
        status, specs = asked(f"{base}/api/kernelspecs", token)
        assert status == 200 and list(specs["kernelspecs"]) == ["python3"]
        assert asked(f"{base}/api/kernels", token, {"name": "python3"}, "POST")[0] == 201
        (connection,) = (project / "data" / "derived" / "lab" / "runtime").glob("kernel-*.json")
        assert json.loads(connection.read_text(encoding="utf-8"))["curve_publickey"]
        status, page = asked(f"{base}/lab", token, read=str)
        assert status == 200 and "apputils-extension:announcements" in page
    finally:
        taken.close()
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    saved = list((project / "notebooks").rglob("*.ipynb"))
    assert len(saved) == 2
    for path in saved:
        kept = json.loads(path.read_text(encoding="utf-8"))
        assert kept["cells"][0]["outputs"] == [] and "Zhang" not in json.dumps(kept)
    assert not list((project / "home").rglob("*"))


def test_a_notebook_is_kept_with_its_outputs_where_they_may_stay(project, capsys):
    source = "from trajectories.pipeline import nearest_study; print(nearest_study().paths.raw.name); 1 / 0"
    code = {"id": "a", "cell_type": "code", "source": source, "metadata": {}, "execution_count": None, "outputs": []}
    before = json.dumps({**notebook(), "cells": [code]})
    (project / "notebooks" / "own.ipynb").write_text(before, encoding="utf-8")
    asked_for = ("lab", "--study", project / "study.toml", "--keep")
    assert call(*asked_for, "other.ipynb") == 2
    assert "other.ipynb is no notebook" in capsys.readouterr().err
    assert call(*asked_for, "own.ipynb") == 1
    out, err = capsys.readouterr()
    assert "did not run to its end (ZeroDivisionError)" in err
    kept = project / "reports" / "sensitive" / "lab" / "own.ipynb"
    assert out.strip() == str(kept) and kept.parent.stat().st_mode & 0o777 == 0o700
    first, last = json.loads(kept.read_text(encoding="utf-8"))["cells"][0]["outputs"]
    assert first["text"] == ["here\n"] and last["ename"] == "ZeroDivisionError"
    assert (project / "notebooks" / "own.ipynb").read_text(encoding="utf-8") == before


def started(server, log):
    for _ in range(480):
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", log.read_text()):
            return found.groups()
        assert server.poll() is None, log.read_text()
        time.sleep(0.25)
    raise AssertionError(log.read_text())


def asked(address, token, body=None, method=None, read=json.loads):
    request = urllib.request.Request(
        address, None if body is None else json.dumps(body).encode(), method=method or ("PUT" if body else "GET"),
        headers={"Content-Type": "application/json"} | ({"Authorization": f"token {token}"} if token else {}),
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, read(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
