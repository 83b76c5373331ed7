"""The audit: a chain that shows every change, survives crashes and full disks, and is written by one process."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clinical_assets.serving import audit as module
from clinical_assets.serving.audit import AuditBroken, AuditError, AuditLog, verify_audit
from clinical_assets.serving.audit_writer import AuditWriter
from clinical_assets.storage.locks import Locked


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def days(*given: int):
    left = [datetime(2026, 1, day, tzinfo=UTC) for day in given]
    return lambda: left.pop(0)


def fill(folder: Path, n: int = 4) -> Path:
    with AuditLog(folder, days(*[1] * n)) as log:
        for number in range(n):
            log.append([{"event": "call", "number": number}])
    return folder / "calls-2026-01-01.jsonl"


def test_rows_are_chained_over_files_and_over_restarts(tmp_path: Path) -> None:
    with AuditLog(tmp_path, days(1, 2)) as log:
        log.append([{"event": "start"}, {"event": "call"}])
        log.append([{"event": "call"}])
        head = log.head
    with AuditLog(tmp_path, days(2)) as log:
        assert (log.n_rows, log.head) == (3, head)
        log.append([{"event": "start"}])
        head = log.head
    assert [row["n"] for row in lines(tmp_path)] == [1, 2, 3, 4]
    assert [path.name for path in sorted(tmp_path.glob("*.jsonl"))] == [
        "calls-2026-01-01.jsonl",
        "calls-2026-01-02.jsonl",
    ]
    assert verify_audit(tmp_path) == (4, head)


def test_a_clock_that_goes_back_does_not_break_the_order(tmp_path: Path) -> None:
    with AuditLog(tmp_path, days(2, 1)) as log:
        log.append([{"event": "call"}])
        log.append([{"event": "call"}])
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["calls-2026-01-02.jsonl"]
    assert verify_audit(tmp_path)[0] == 2


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = fill(tmp_path / "audit")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def changed(text: list[str]) -> list[str]:
    return [text[0], text[1].replace('"number": 1', '"number": 9'), *text[2:]]


@pytest.mark.parametrize(
    ("tamper", "line"),
    [
        (changed, 3),
        (lambda text: text[:1] + text[2:], 2),
        (lambda text: text[1:], 1),
        (lambda text: [text[1], text[0], *text[2:]], 1),
        (lambda text: [*text[:2], "not a row\n", *text[2:]], 3),
    ],
)
def test_a_changed_removed_moved_or_added_line_shows(tmp_path: Path, tamper, line: int) -> None:
    path = fill(tmp_path)
    path.write_text("".join(tamper(path.read_text().splitlines(keepends=True))))
    with pytest.raises(AuditBroken, match=f"line {line}:"):
        verify_audit(tmp_path)


def test_a_removed_end_shows_against_a_head_kept_elsewhere(tmp_path: Path) -> None:
    path = fill(tmp_path)
    _, head = verify_audit(tmp_path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert verify_audit(tmp_path) != (4, head)


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_an_unfinished_line_is_dropped_and_the_drop_is_a_row(tmp_path: Path, kept: int) -> None:
    path = fill(tmp_path)
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole + last[:kept])
    assert verify_audit(tmp_path)[0] == 4  # read beside a running server: the end may be unfinished
    with AuditLog(tmp_path, days(1)) as log:
        assert log.n_rows == 5
    assert lines(tmp_path)[-1]["event"] == "recovered"
    assert lines(tmp_path)[-1]["n_bytes_dropped"] == len(last[:kept])
    assert verify_audit(tmp_path)[0] == 5


def test_a_file_of_one_unfinished_line_starts_anew(tmp_path: Path) -> None:
    path = fill(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:30])
    with AuditLog(tmp_path, days(1)) as log:
        assert log.n_rows == 1
    assert verify_audit(tmp_path)[0] == 1


def test_nothing_is_appended_to_a_broken_end(tmp_path: Path) -> None:
    path = fill(tmp_path)
    with open(path, "a") as file:
        file.write("somebody was here\n")
    with pytest.raises(AuditBroken, match="keep the folder as evidence"), AuditLog(tmp_path):
        pass
    assert path.read_text().endswith("somebody was here\n")


def test_two_servers_do_not_write_one_audit(tmp_path: Path) -> None:
    with AuditLog(tmp_path), pytest.raises(Locked, match=str(os.getpid())), AuditLog(tmp_path):
        pass


@pytest.mark.parametrize("cut_fails", [False, True])
def test_a_full_disk_keeps_no_half_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_fails: bool) -> None:
    with AuditLog(tmp_path) as log:
        log.append([{"event": "call"}])

        def half(descriptor: int, data: bytes) -> None:
            os.write(descriptor, data[: len(data) // 2])
            raise OSError(28, "No space left on device")

        def no_cut(descriptor: int, size: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(module, "_write", half)
            if cut_fails:
                patch.setattr(os, "ftruncate", no_cut)
            with pytest.raises(AuditError, match="cannot be written"):
                log.append([{"event": "call"}, {"event": "call"}])
            assert not log.writable
        log.append([{"event": "call"}])
        assert log.writable
        assert verify_audit(tmp_path) == (2, log.head)


def test_rows_that_wait_together_are_synced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(descriptor), real(descriptor))[1])

    async def many() -> None:
        with AuditLog(tmp_path) as log:
            writer = AuditWriter(log)
            await asyncio.gather(*(writer.write({"event": "call", "number": number}) for number in range(50)))
            await writer.close()

    asyncio.run(many())
    assert sorted(row["number"] for row in lines(tmp_path)) == list(range(50))
    assert len(synced) <= 5
