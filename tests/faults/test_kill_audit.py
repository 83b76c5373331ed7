"""Killed with SIGKILL while it writes, the audit keeps every row that somebody was told of, and goes on in the same chain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from clinical_assets.serving.audit import AuditLog, verify_audit

ROOT = Path(__file__).resolve().parents[2]
# Says of a row that it is kept only after it is, as the server does; rows of many kilobytes make torn ones likely.
WRITE = """
import sys
from pathlib import Path
from clinical_assets.serving.audit import AuditLog
with AuditLog(Path(sys.argv[1])) as log:
    while True:
        log.append([{"event": "call", "text_sha256": ["0" * 64] * 2000}] * 3)
        print(log.n_rows, flush=True)
"""


def test_no_acknowledged_row_is_lost(tmp_path: Path) -> None:
    for acknowledgements in (1, 2, 5, 9):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(acknowledgements)][-1]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        assert process.wait() == -signal.SIGKILL
        told = int(rest[-1]) if rest else told
        with AuditLog(tmp_path) as log:
            assert log.n_rows >= told
        n, _ = verify_audit(tmp_path)
        assert n >= told
    rows = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert {row["event"] for row in rows} <= {"call", "recovered"}
