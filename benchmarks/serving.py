"""Latency and throughput of the server under a closed loop of callers, on loopback.

    python benchmarks/serving.py [--seconds 5] [--connections 1,4,16] [--texts 1] [--extractor gazetteer] [--wrk PATH]

Starts `clinical-assets serve` in a process of its own on a demo text set (synthetic notes of about 1,500 characters), with its audit
on the disk, and drives each endpoint with wrk (Debian's package) if it is there, else with aiohttp in another process. A caller sends
its next call when the last one is answered. Prints calls and texts a second, p50, p95 and p99 per endpoint and number of connections,
and the processor time that the server spent on a text, which other work on the machine changes less than the rest.
Every phase is bounded by time; the whole by about (endpoints x connections x seconds) and a start of half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import psutil

ENDPOINTS = ("labels", "summaries", "entities", "batch")
# wrk gives no p95 by itself; latencies are in microseconds.
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {token}"
local bodies = {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
local at = 0
request = function() at = at % #bodies + 1; return wrk.format(nil, "/{endpoint}", nil, bodies[at]) end
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %f %f %f\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.timeout + summary.errors.connect + summary.errors.read,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""


def texts() -> list[str]:
    """Return synthetic notes, all different, so that nothing is answered from memory."""
    from clinical_assets.synthetic.config import HospitalConfig
    from clinical_assets.synthetic.hospital import build_hospital

    hospital = build_hospital(HospitalConfig(n_persons=120))
    landed = [text for table in hospital.note_batches.values() for text in table["note_text"].to_pylist()]
    found = list(dict.fromkeys(text for text in landed if text and 800 <= len(text) <= 3000))
    return found[:300]


def bodies(endpoint: str, notes: list[str], per_call: int) -> list[str]:
    out = []
    for first in range(0, len(notes) - per_call + 1, per_call):
        call: dict = {"texts": [{"id": str(n), "text": text} for n, text in enumerate(notes[first : first + per_call])]}
        if endpoint == "batch":
            call["tasks"] = ["entities", "labels", "summaries"]
        out.append(json.dumps(call))
    return out


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def health(port: int, token: str) -> dict:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/health", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        return json.load(answer)


def with_wrk(wrk: str, port: int, token: str, endpoint: str, sent: list[str], connections: int, seconds: int) -> tuple:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bodies").write_text("\n".join(sent) + "\n", encoding="utf-8")
        script = Path(folder) / "calls.lua"
        script.write_text(LUA.format(token=token, endpoint=endpoint, bodies=f"{folder}/bodies"), encoding="utf-8")
        command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(script)]
        said = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
    n, microseconds, errors, *latencies = map(float, re.search(r"RESULT (.*)", said).group(1).split())
    return n / (microseconds / 1e6), int(errors), *(value / 1000 for value in latencies)


async def _callers(
    port: int, token: str, endpoint: str, sent: list[str], connections: int, seconds: int
) -> tuple[list, int]:
    import aiohttp

    taken, errors, end = [], 0, time.monotonic() + seconds
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def caller(session: aiohttp.ClientSession, at: int) -> None:
        nonlocal errors
        while time.monotonic() < end:
            started = time.monotonic()
            async with session.post(f"http://127.0.0.1:{port}/{endpoint}", data=sent[at % len(sent)]) as answer:
                await answer.read()
                errors += answer.status != 200
            taken.append(time.monotonic() - started)
            at += connections

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(*(caller(session, n) for n in range(connections)))
    return taken, errors


def _drive(arguments: tuple) -> tuple:
    started = time.monotonic()
    taken, errors = asyncio.run(_callers(*arguments))
    p50, p95, p99 = np.percentile(taken, [50, 95, 99]) * 1000
    return len(taken) / (time.monotonic() - started), errors, p50, p95, p99


def with_aiohttp(*arguments: object) -> tuple:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_drive, (arguments,))


def serve(data: Path, port: int, token: str, extractor: str) -> subprocess.Popen:
    shipped = Path(__file__).resolve().parents[1] / "clinical_assets" / "study" / "cml_imatinib.yaml"
    study = data / "study.yaml"
    text = shipped.read_text(encoding="utf-8")
    if extractor != "spacy" and "\nentities:" not in text:
        text += f"\nentities:\n  extractor: {extractor}\n"
    study.write_text(text, encoding="utf-8")
    settings = {"CLINICAL_DATA": str(data), "CLINICAL_STUDY": str(study), "CLINICAL_SERVE_TOKEN": token}
    return subprocess.Popen(
        [sys.executable, "-m", "clinical_assets.cli.main", "serve", "--port", str(port)],
        env={**os.environ, **settings},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", default="1,4,16")
    parser.add_argument("--texts", type=int, default=1, help="texts a call")
    parser.add_argument("--endpoints", default=",".join(ENDPOINTS))
    parser.add_argument("--extractor", default="gazetteer", help="spacy needs a trained model in --data")
    parser.add_argument("--data", type=Path, help="CLINICAL_DATA to serve; default an empty one")
    parser.add_argument("--wrk", default=shutil.which("wrk"))
    given = parser.parse_args()
    notes = texts()
    with tempfile.TemporaryDirectory() as folder:
        port, token = free_port(), secrets.token_urlsafe(32)
        process = serve(given.data or Path(folder), port, token, given.extractor)
        try:
            while True:
                try:
                    states = health(port, token)["tasks"]
                    break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit("the server did not start") from None
                    time.sleep(0.2)
            print(
                f"{len(notes)} synthetic notes, median {int(np.median([len(text) for text in notes]))} characters; {given.texts} a call; "
                f"{'wrk' if given.wrk else 'aiohttp'}, {given.seconds} s each; extractor {given.extractor}"
            )
            print(
                "| endpoint | connections | calls/s | texts/s | p50 ms | p95 ms | p99 ms | processor ms a text | not 200 |"
            )
            print("|---|---|---|---|---|---|---|---|---|")
            watched = psutil.Process(process.pid)
            for endpoint in given.endpoints.split(","):
                if endpoint in states and states[endpoint]["state"] != "ready":
                    print(f"| {endpoint} | unavailable: {states[endpoint]['why']} |")
                    continue
                sent = bodies(endpoint, notes, given.texts)
                for connections in map(int, given.connections.split(",")):
                    arguments = (port, token, endpoint, sent, connections, given.seconds)
                    rows, spent = health(port, token)["audit"]["n_rows"], sum(watched.cpu_times()[:2])
                    found = with_wrk(given.wrk, *arguments) if given.wrk else with_aiohttp(*arguments)
                    while health(port, token)["calls"]:
                        time.sleep(0.1)  # wrk hangs up on calls that are not answered when its time is over
                    n_texts = (health(port, token)["audit"]["n_rows"] - rows) * given.texts
                    used = 1000 * (sum(watched.cpu_times()[:2]) - spent) / max(n_texts, 1)
                    rate, errors, *latencies = found
                    cells = [f"{value:.1f}" for value in (rate, rate * given.texts, *latencies, used)]
                    print(f"| {endpoint} | {connections} | {' | '.join(cells)} | {errors} |", flush=True)
            audit = health(port, token)["audit"]
            print(f"audit: {audit['n_rows']} rows")
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    main()
