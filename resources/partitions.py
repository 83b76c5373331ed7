"""The one partition of everything per note: the note batch, a landed file or folder. Never a note or a patient."""

from __future__ import annotations

import dagster as dg

__all__ = ["NOTE_BATCHES", "NOTE_BATCHES_NAME"]

NOTE_BATCHES_NAME = "note_batch"
NOTE_BATCHES = dg.DynamicPartitionsDefinition(name=NOTE_BATCHES_NAME)
