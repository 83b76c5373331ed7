"""The evaluation of the summaries as files: CSV tables, and one JSON with the means and all that they depend on. No text."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clinical_assets.study.model import Study

__all__ = ["Exported", "export_evaluation", "snapshot"]

_TABLES = ("metrics", "samples", "checklist", "compression_retention", "input_dependence")
_LIBRARIES = ("clinical-assets", "dagster", "duckdb", "numpy", "scikit-learn", "transformers", "bert-score")


@dataclass(frozen=True)
class Exported:
    """Where an export is, its rows by table, and the digest of what it says."""

    folder: Path
    n_rows: dict[str, int]
    digest: str


def export_evaluation(connection: Any, study: Study, exports: Path, *, made_at: datetime, run_id: str) -> Exported:
    """Write ``<exports>/summaries/``: a CSV per table, ``summaries.json`` with metrics and the snapshot. Replaced as a whole.

    Parameters
    ----------
    connection
        Reads the warehouse (schema summaries).
    exports
        Folder of exports; made readable by its owner only, as note_ids are in it.
    """
    exports.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = exports / "summaries"
    work = exports / f".summaries.{os.getpid()}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    digest = hashlib.sha256()
    n_rows = {}
    try:
        for table in _TABLES:
            rows = connection.sql(f"select * from summaries.{table} order by all").to_arrow_table()
            n_rows[table] = rows.num_rows
            _write_csv(rows, work / f"{table}.csv")
            if table != "input_dependence":  # it says when it was made
                digest.update((work / f"{table}.csv").read_bytes())
        said = snapshot(connection, study)
        metrics = connection.sql("select * from summaries.metrics order by all").to_arrow_table().to_pylist()
        digest.update(json.dumps(said, sort_keys=True).encode())
        whole = {"made_at": made_at.astimezone(UTC).isoformat(), "run_id": run_id, "snapshot": said, "metrics": metrics}
        (work / "summaries.json").write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        old = exports / f".summaries.{os.getpid()}.old"
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.rename(folder, old)
        os.rename(work, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Exported(folder, n_rows, digest.hexdigest())


def snapshot(connection: Any, study: Study) -> dict[str, Any]:
    """Return what the numbers depend on: the study's block, digests of settings, versions, what data they are of."""
    of_summaries = connection.execute(
        "select summarizer, stage, settings_sha, count(*)::bigint as n_notes, "
        "md5(string_agg(source_sha256 || coalesce(text_sha256, ''), ',' order by note_id)) as data_version "
        "from summaries.summaries group by all order by all"
    ).fetchall()
    scorers = connection.execute("select distinct scorer_sha from summaries.note_scores order by 1").fetchall()
    return {
        "study": study.name,
        "summaries": study.summaries.model_dump(mode="json"),
        "label_scope": study.label_scope,
        "summarizers": [
            {"summarizer": row[0], "stage": row[1], "settings_sha": row[2], "n_notes": row[3], "data_version": row[4]}
            for row in of_summaries
        ],
        "scorer_sha": [row[0] for row in scorers],
        "libraries": _versions(),
    }  # fmt: skip


def _versions() -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _write_csv(rows: Any, path: Path) -> None:
    import pyarrow.csv as pc

    pc.write_csv(rows, str(path))
