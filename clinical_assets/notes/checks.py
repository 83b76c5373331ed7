"""Asset checks of the notes: Great Expectations on every batch, quarantine and volume."""

from typing import TYPE_CHECKING

import dagster as dg

from clinical_assets.notes.suites import CHECKED_COLUMNS, NOTES_SUITE
from clinical_assets.notes.volume import usual_volume
from clinical_assets.quality.checks import build_expectation_checks
from clinical_assets.storage.lake import Lake
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_note_checks"]


def _notes_without_text(lake: Lake, batch: str) -> "pd.DataFrame":
    return lake.read("notes/notes", batch, CHECKED_COLUMNS).to_pandas()


def build_note_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of notes, rejects and intakes, evaluated per batch."""
    notes_meet_expectations = build_expectation_checks(
        ["notes", "notes"],
        NOTES_SUITE,
        _notes_without_text,
        partitions_def=NOTE_BATCHES,
        name="notes_meet_expectations",
    )

    @dg.asset_check(asset=["notes", "rejects"], partitions_def=NOTE_BATCHES)
    def no_rows_were_rejected(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        """Warn when landed rows were quarantined; they are in ops.rejects with the reason, and nothing else was lost."""
        reasons = (
            lake.open().read("notes/rejects", context.partition_key, ["reason"])["reason"].value_counts().to_pylist()
        )
        return dg.AssetCheckResult(
            passed=not reasons,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={f"n_{entry['values']}": entry["counts"] for entry in reasons},
            description="Correct these rows at the source and land the batch again under the same name."
            if reasons
            else None,
        )

    @dg.asset_check(asset=["notes", "intakes"], partitions_def=NOTE_BATCHES)
    def batch_volume_is_usual(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        """Warn when a batch stores far more or far fewer notes than the batches before it (by name)."""
        intakes = lake.open().read_all("notes/intakes", ["batch", "n_stored"]).to_pydict()
        volume = usual_volume(dict(zip(intakes["batch"], intakes["n_stored"], strict=True)), context.partition_key)
        return dg.AssetCheckResult(
            passed=volume.usual,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "n_stored": volume.n_stored,
                "low": volume.low,
                "high": volume.high,
                "n_batches_before": volume.n_before,
            },
            description=None
            if volume.usual
            else "Ask the producer whether the export was complete; land it again if not.",
        )

    return [notes_meet_expectations, no_rows_were_rejected, batch_volume_is_usual]
