"""Do summaries depend on what they summarize: each summarizer's own sources against other persons', over all batches.

Texts are needed for that, so it is computed from the lake and not in the warehouse. Of many summaries a part is drawn, by digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_assets.privacy import withhold_messages
from clinical_assets.storage.lake import ContractError, Lake, Written
from clinical_assets.storage.summary_contracts import SUMMARY_CONTROLS
from clinical_assets.study.model import Study
from clinical_assets.summaries.controls import own_versus_shuffled
from clinical_assets.summaries.evaluation.scoring import ScoredTable
from clinical_assets.summaries.source import read_sources

__all__ = ["CONTROLS", "write_controls"]

CONTROLS = "summaries/controls"
MOST = 2000  # summaries of a summarizer: limits are narrow long before


def write_controls(
    lake: Lake,
    tables: Sequence[ScoredTable],
    study: Study,
    scope: Callable[[], Collection[int]],
    *,
    places: Callable[[Collection[int]], Sequence[Mapping[str, Any]]] = lambda persons: (),
    most: int = MOST,
    run_id: str,
    made_at: datetime,
) -> Written:
    """Replace ``summaries/controls``: one row per summarizer that has summaries of notes in scope.

    Parameters
    ----------
    tables
        Tables of summaries; those without a row are passed over.
    scope
        Returns the note_ids in scope, of all batches; not asked where nothing is summarized (there may be no warehouse yet).
    most
        At most so many summaries of each.
    """
    rows: list[dict[str, Any]] = []
    present = [one.table for one in tables if lake.batches(one.table)]
    wanted = scope() if present else ()
    with withhold_messages(ContractError, OSError):
        for table in present:
            for summarizer, (n, chosen) in _chosen(lake, table, wanted, most).items():
                texts = _with_sources(lake, table, study, chosen, places)
                if not texts:
                    continue
                found = own_versus_shuffled(*zip(*texts, strict=True))
                values = {name: getattr(found, name) for name in ("own", "shuffled", "difference")}
                values |= {"difference_low": found.low, "difference_high": found.high}
                rows.append(
                    {
                        "summarizer": summarizer,
                        "fit": "rouge2_f1",
                        **{name: None if np.isnan(value) else float(value) for name, value in values.items()},
                        "n_summaries": n,
                        "n_rows": found.n_rows,
                        "n_compared": found.n_compared,
                        "made_at": made_at,
                        "run_id": run_id,
                    }
                )
        rows.sort(key=lambda row: row["summarizer"])
        return lake.write(CONTROLS, pa.Table.from_pylist(rows, schema=SUMMARY_CONTROLS), SUMMARY_CONTROLS)


Chosen = dict[str, dict[int, tuple[str, str]]]  # batch -> note_id -> digests of source and summary


def _chosen(lake: Lake, table: str, scope: Collection[int], most: int) -> dict[str, tuple[int, Chosen]]:
    """Return, by summarizer, how many summaries there are and which are compared."""
    columns = ["note_id", "summarizer", "source_sha256", "text_sha256"]
    by_summarizer: dict[str, list[tuple[str, str, int, str, str]]] = {}
    for batch in lake.batches(table):
        for row in lake.read(table, batch, columns).to_pylist():
            if row["text_sha256"] is not None and row["note_id"] in scope:
                lot = hashlib.sha256(f"{row['note_id']}".encode()).hexdigest()
                by_summarizer.setdefault(row["summarizer"], []).append(
                    (lot, batch, row["note_id"], row["source_sha256"], row["text_sha256"])
                )
    found: dict[str, tuple[int, Chosen]] = {}
    for summarizer, rows in by_summarizer.items():
        chosen: Chosen = {}
        for _, batch, note_id, source, text in sorted(rows)[:most]:
            chosen.setdefault(batch, {})[note_id] = (source, text)
        found[summarizer] = (len(rows), chosen)
    return found


def _with_sources(
    lake: Lake,
    table: str,
    study: Study,
    chosen: Chosen,
    places: Callable[[Collection[int]], Sequence[Mapping[str, Any]]],
) -> list[tuple[str, str, str]]:
    """Return summary, source and person of each row whose source is still what was summarized."""
    texts = []
    for batch, wanted in sorted(chosen.items()):
        rows = {row["note_id"]: row for row in lake.read(table, batch, ["note_id", "person_id", "text"]).to_pylist()}
        persons: set[int] = set()
        if study.summaries.unit == "person_window":
            persons = {rows[note_id]["person_id"] for note_id in wanted}
        given = places(sorted(persons)) if persons else ()
        for source in read_sources(lake, batch, wanted, study.summaries, given):
            if source.note_id in wanted and wanted[source.note_id][0] == source.sha256:
                whole = "\n\n".join(note.text for note in source.notes)
                texts.append((rows[source.note_id]["text"], whole, str(source.person_id)))
    return texts
