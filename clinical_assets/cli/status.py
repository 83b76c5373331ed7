"""What is where: landing, lake and warehouse at a glance, read from the stores themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clinical_assets.cli.run import due_now
from clinical_assets.settings import Settings
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake

__all__ = ["read_status", "status_lines"]


def read_status(settings: Settings) -> dict[str, Any]:
    """Return counts of landing, lake and warehouse; nothing is written and no lock is taken."""
    lake = Lake(settings.lake)
    due, seen = due_now(settings, lake) if (settings.landing / "notes").is_dir() else ([], None)
    tables = {}
    for declared in LAKE_TABLES:
        for table in lake.members(declared) or [declared]:
            batches = lake.batches(table)
            n_rows = sum(lake.n_rows(table, batch) for batch in batches)
            tables[table] = {"batches": len(batches), "rows": n_rows + (lake.n_rows(table) if lake.has(table) else 0)}
    warehouse: dict[str, Any] = {"path": str(settings.warehouse), "exists": settings.warehouse.exists()}
    if settings.warehouse.exists():
        stat = settings.warehouse.stat()
        warehouse |= {"published_at": datetime.fromtimestamp(stat.st_mtime, UTC), "n_bytes": stat.st_size}
    return {
        "data": str(settings.data),
        "landing": {"due": due, "problems": [f"{p.name}: {p.reason}. {p.mend}" for p in seen.problems] if seen else []},
        "lake": tables,
        "warehouse": warehouse,
    }


def status_lines(found: dict[str, Any]) -> list[str]:
    """Return the status as lines for a terminal."""
    lines = [f"data       {found['data']}"]
    due = found["landing"]["due"]
    lines.append(f"landing    {len(due)} batches due" + (f": {', '.join(due[:10])}" if due else ""))
    lines += [f"           {problem}" for problem in found["landing"]["problems"]]
    wide = max((len(table) for table in found["lake"]), default=0) + 1
    lines += [
        f"lake       {table:<{wide}}{counts['batches'] or '-':>6} batches {counts['rows']:>12,} rows"
        for table, counts in found["lake"].items()
    ]
    warehouse = found["warehouse"]
    if warehouse["exists"]:
        lines.append(
            f"warehouse  {warehouse['path']}, {warehouse['n_bytes'] / 1e6:,.1f} MB, "
            f"published {warehouse['published_at']:%Y-%m-%d %H:%M} UTC"
        )
    else:
        lines.append(f"warehouse  none yet at {warehouse['path']}: run `make run`")
    return lines
