"""`clinical-assets serve` as its operator meets it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinical_assets.cli.main import app
from clinical_assets.serving.audit import AuditLog, verify_audit
from tests.hospital import CANARY, CML
from tests.unit.serving.conftest import TOKEN

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLINICAL_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_other_addresses_are_refused_before_anything_is_made(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINICAL_SERVE_TOKEN", TOKEN)
    result = runner.invoke(app, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 1
    assert "put a proxy with TLS before it" in result.output
    assert not data.exists()


def test_without_a_token_it_says_how_to_make_one(data: Path) -> None:
    result = runner.invoke(app, ["serve"])
    assert result.exit_code == 1
    assert "secrets.token_urlsafe" in result.output
    assert not data.exists()


def test_the_audit_is_verified(data: Path) -> None:
    folder = data / "audit" / "serving"
    with AuditLog(folder) as log:
        log.append([{"event": "call"}, {"event": "call"}])
        head = log.head
    result = runner.invoke(app, ["verify-audit"])
    assert (result.exit_code, result.output.strip()) == (0, f"2 rows, head {head}")
    (path,) = folder.glob("*.jsonl")
    path.write_text(path.read_text().replace('"n": 1', '"n": 7'))
    result = runner.invoke(app, ["verify-audit"])
    assert result.exit_code == 1
    assert "line 1" in result.output


def ask(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_serves_says_nothing_of_texts_and_ends_in_order(tmp_path: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environment = {**os.environ, "CLINICAL_DATA": str(tmp_path), "CLINICAL_SERVE_TOKEN": TOKEN}
    command = [sys.executable, "-m", "clinical_assets.cli.main", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while True:
        assert process.poll() is None, process.stdout.read()  # type: ignore[union-attr]
        try:
            assert ask(port, "GET", "/health")[0] == 200
            break
        except OSError:
            time.sleep(0.1)
    status, answer = ask(port, "POST", "/labels", {"texts": [{"id": "a", "text": CML}]})
    assert (status, json.loads(answer)["results"][0]["note_status"]) == (200, "usable")
    assert ask(port, "POST", f"/labels?{CANARY}", {CANARY: 1})[0] == 400
    assert ask(port, "GET", f"/{CANARY}")[0] == 404
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGTERM}
    assert CANARY not in said
    assert TOKEN not in said
    assert "/labels 200" in said
    (path,) = (tmp_path / "audit" / "serving").glob("*.jsonl")
    events = [json.loads(line)["event"] for line in path.read_text().splitlines()]
    assert events == ["start", "call", "call", "stop"]
    assert verify_audit(path.parent)[0] == 4
