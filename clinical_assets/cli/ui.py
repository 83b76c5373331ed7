"""The Dagster UI of a local deployment: on loopback, once per DAGSTER_HOME."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
from pathlib import Path

from clinical_assets.storage.locks import hold_lock

__all__ = ["dagster_home", "run_ui"]


def dagster_home() -> Path:
    """Return DAGSTER_HOME.

    Raises
    ------
    ValueError
        If it is unset, or not the absolute path of a folder.
    """
    value = os.environ.get("DAGSTER_HOME")
    if not value:
        raise ValueError(
            "DAGSTER_HOME is not set: Dagster would forget every run. Use make (make run, make ui), or "
            "export DAGSTER_HOME=$PWD/.dagster_home in the project's folder."
        )
    home = Path(value)
    if not home.is_absolute() or not home.is_dir():
        raise ValueError(f"DAGSTER_HOME is {value!r}: expected the absolute path of an existing folder; mkdir -p it.")
    return home


def run_ui(host: str, port: int) -> int:
    """Run `dagster dev` until it ends and return its exit code.

    Raises
    ------
    ValueError
        If `host` is not a loopback address (anybody who reaches Dagster can launch and delete), or DAGSTER_HOME is unset.
    Locked
        If another `clinical-assets ui` runs on the same DAGSTER_HOME: two daemons would start every run twice.
    """
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(
            f"host {host}: Dagster has no log-in, so only a loopback address is accepted; put a proxy with log-in before it"
        )
    home = dagster_home()
    workspace = Path(__file__).resolve().parents[2] / "workspace.yaml"
    dagster = Path(sys.executable).with_name("dagster")
    with hold_lock(home / "ui.lock", f"the UI of {home} is already served"):
        command = [str(dagster), "dev", "-w", str(workspace), "-h", host, "-p", str(port)]
        process = subprocess.Popen(command, cwd=workspace.parent)
        # Stopping this command stops the daemon with it: an orphan would go on launching runs. Ctrl-C reaches both.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue
