"""The child process that parses one untrusted batch: `python -m clinical_assets.notes.guarded_worker JOB_FOLDER`.

Put nothing else here: it sets its own resource limits, reads ``job.json``, writes ``rows.arrow``, ``rejects.arrow`` and
``result.json`` into the same private folder, and prints nothing.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (allowed, allowed))


def main(folder: Path) -> None:
    """Parse the batch of ``folder/job.json`` under its limits; see ``guarded.read_batch`` for the job's keys."""
    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, int(job["cpu_seconds"]))
    _limit(resource.RLIMIT_AS, int(job["memory_bytes"]))
    _limit(resource.RLIMIT_FSIZE, int(job["memory_bytes"]))

    import pyarrow as pa  # after the limits, so that they hold for it too

    from clinical_assets.notes.errors import UnreadableBatch
    from clinical_assets.notes.guards import ReadLimits, describe_failure
    from clinical_assets.notes.readers import read_files

    result: dict[str, Any]
    try:
        landed = read_files(
            [Path(file) for file in job["files"]], columns=job["columns"], limits=ReadLimits(**job["limits"])
        )
        for name, table in (("rows", landed.rows), ("rejects", landed.rejects)):
            with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
        result = {"n_landed": landed.n_landed, "n_extra_columns": landed.n_extra_columns}
    except UnreadableBatch as error:
        result = {"error": error.to_dict()}
    except Exception as error:  # its message may quote the file: only the type goes back
        result = {"error": describe_failure(error).to_dict()}
    (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
