"""Which landed OMOP snapshots changed since the last look: the decision of the observing sensor, free of Dagster."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.cohort.omop_landing import OmopLandingError, snapshot_digest, snapshot_files

__all__ = ["ABSENT", "SnapshotScan", "scan_snapshots"]

ABSENT = "absent"  # data version of a table that is gone after it was there


@dataclass(frozen=True)
class SnapshotScan:
    """One look at landing/omop.

    Attributes
    ----------
    changed
        Table -> content digest, for tables whose content differs from the last look.
    known
        Table -> (names, sizes and times as JSON; digest), to give to the next look. No digest: not settled yet.
    problems
        Tables that cannot be used, in words.
    """

    changed: dict[str, str]
    known: dict[str, list[str]]
    problems: list[str]


def scan_snapshots(
    tables: Mapping[str, Path],
    known: Mapping[str, Sequence[str]],
    *,
    now: float,
    settle_seconds: float,
    files_of: Callable[[Path, str], Sequence[Path]] = snapshot_files,
) -> SnapshotScan:
    """Look at every table in its folder once; bytes are read only when names, sizes or times changed and the files have settled.

    Files have settled when they look the same as at the last look, or were all written `settle_seconds` ago. `files_of` finds
    the files of a table in its folder.
    """
    scan = SnapshotScan({}, {}, [])
    for table, folder in tables.items():
        last_shape, last_digest = [*known.get(table, []), "", ""][:2]
        try:
            files = files_of(folder, table)
            stats = [path.stat() for path in files]
            shape = json.dumps(
                [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in zip(files, stats, strict=True)]
            )
            if shape == last_shape and last_digest:
                scan.known[table] = [shape, last_digest]
                continue
            settled = shape == last_shape or all(0 <= settle_seconds <= now - stat.st_mtime for stat in stats)
            if not settled:
                scan.known[table] = [shape, ""]
                continue
            digest = snapshot_digest(files) if files else ABSENT
        except (OmopLandingError, OSError) as error:
            scan.problems.append(str(error))
            continue
        scan.known[table] = [shape, digest]
        # A table that never landed is not news.
        if digest != last_digest and not (digest == ABSENT and not last_shape):
            scan.changed[table] = digest
    return scan
