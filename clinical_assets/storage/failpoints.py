"""Named places where a crash test may kill the process.

A failpoint costs one environment look-up. With ``CLINICAL_FAILPOINT=<name>`` (or ``<name>:<k>`` for the k-th visit)
the process kills itself with SIGKILL there, as the out-of-memory killer would: no cleanup runs.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

__all__ = ["FAILPOINTS", "failpoint"]

FAILPOINTS = (
    "lake.after_temp_write",
    "lake.before_replace",
    "lake.after_replace",
    "ingest.after_parse",
    "ingest.after_sections",
    "ingest.after_rejects",
    "ingest.after_notes",
    "model_labels.after_put_by",
    "written_summaries.after_put_by",
    "embeddings.after_part",
    "risk.after_fits",
    "entities.after_put_by",
    "entities.between_tables",
    "lora.before_checkpoint",
    "lora.after_checkpoint",
    "lora.before_replace",
    "model_folder.after_replace",
    "entity_model.before_stage",
    "entity_model.after_stage",
    "entity_model.before_replace",
    "entity_model.before_promotion",
    "content_folder.before_replace",
    "warehouse.after_copy",
    "warehouse.after_build",
    "warehouse.before_replace",
    "warehouse.after_replace",
)

_visits: Counter[str] = Counter()


def failpoint(name: str) -> None:
    """Kill this process here if ``CLINICAL_FAILPOINT`` names this place."""
    wanted = os.environ.get("CLINICAL_FAILPOINT")
    if not wanted:
        return
    place, _, visit = wanted.partition(":")
    if place != name:
        return
    _visits[name] += 1
    if _visits[name] == int(visit or 1):
        os.kill(os.getpid(), signal.SIGKILL)
