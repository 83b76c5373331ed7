"""Asset checks of the entities: every note was read, offsets stand in the text, how much is linked and how much failed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from clinical_assets.entities.assets import MENTIONS_KEY, NOTES_KEY, scope_of, vocabulary_and_extractor
from clinical_assets.entities.batch import wanted_notes
from clinical_assets.entities.suites import MENTION_COLUMNS, MENTION_SUITE, NOTE_COLUMNS, NOTE_SUITE
from clinical_assets.entities.verdicts import MOST_FAILED, MOST_UNLINKED, note_cover, span_faults
from clinical_assets.quality.checks import build_expectation_checks
from clinical_assets.storage.lake import Lake
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_entity_checks"]

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
_READ, _FAILED = "every_note_in_scope_is_read", "few_notes_fail_to_be_read"
_STANDS, _APART, _LINKED = (
    "offsets_stand_in_the_text",
    "mentions_of_one_type_do_not_overlap",
    "most_mentions_are_linked",
)


def build_entity_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of the mentions in notes."""
    return [
        _note_checks(),
        _mention_checks(),
        build_expectation_checks(
            MENTIONS_KEY.path, MENTION_SUITE, _mentions, partitions_def=NOTE_BATCHES, name="mentions_meet_expectations"
        ),
        build_expectation_checks(
            NOTES_KEY.path, NOTE_SUITE, _notes, partitions_def=NOTE_BATCHES, name="extractions_meet_expectations"
        ),
    ]


def _mentions(lake: Lake, batch: str) -> "pd.DataFrame":
    return lake.read("entities/mentions", batch, MENTION_COLUMNS).to_pandas()


def _notes(lake: Lake, batch: str) -> "pd.DataFrame":
    return lake.read("entities/notes", batch, NOTE_COLUMNS).to_pandas()


def _note_checks() -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="extractions_cover_the_notes",
        specs=[
            dg.AssetCheckSpec(name, asset=NOTES_KEY, blocking=name == _READ, partitions_def=NOTE_BATCHES)
            for name in (_READ, _FAILED)
        ],
    )
    def extractions_cover_the_notes(
        context: dg.AssetCheckExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> Iterator[dg.AssetCheckResult]:
        """Fail if a note in scope has no row of its present text by the study's extractor; warn if many could not be read."""
        store, batch, study = lake.open(), context.partition_key, deployment.load_study()
        with warehouse.reader().get_connection() as connection:
            _, chosen = vocabulary_and_extractor(deployment, study, connection)
        notes = wanted_notes(store, batch, scope_of(study, warehouse, batch))
        cover = note_cover(store.read("entities/notes", batch), notes, dict(chosen.identity))
        passed = cover.n_missing + cover.n_stale + cover.n_foreign == 0
        counts = {name: getattr(cover, name) for name in ("n_notes", "n_missing", "n_stale", "n_foreign")}
        yield dg.AssetCheckResult(
            asset_key=NOTES_KEY,
            check_name=_READ,
            passed=passed,
            severity=_ERROR,
            metadata=counts,
            description=None
            if passed
            else "Materialize entities/mentions of this batch again: notes, scope or extractor changed.",
        )
        yield dg.AssetCheckResult(
            asset_key=NOTES_KEY,
            check_name=_FAILED,
            passed=(cover.failed or 0.0) <= MOST_FAILED,
            severity=_WARN,
            metadata={"n_notes": cover.n_notes, "n_failed": cover.n_failed, "most": MOST_FAILED},
        )

    return extractions_cover_the_notes


def _mention_checks() -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="mentions_stand_in_their_notes",
        specs=[
            dg.AssetCheckSpec(name, asset=MENTIONS_KEY, blocking=name != _LINKED, partitions_def=NOTE_BATCHES)
            for name in (_STANDS, _APART, _LINKED)
        ],
    )
    def mentions_stand_in_their_notes(
        context: dg.AssetCheckExecutionContext, lake: LakeResource
    ) -> Iterator[dg.AssetCheckResult]:
        """Fail if a mention is not what its note says at its offsets, or two of one type overlap; warn if few are linked."""
        faults = span_faults(lake.open(), context.partition_key)
        n = faults.n_mentions
        verdicts = {
            _STANDS: (
                faults.n_outside + faults.n_other_words + faults.n_without_note == 0,
                {name: getattr(faults, name) for name in ("n_outside", "n_other_words", "n_without_note")},
                "Materialize entities/mentions of this batch again: texts of notes changed.",
            ),
            _APART: (faults.n_overlapping == 0, {"n_overlapping": faults.n_overlapping}, "Report this as a defect."),
            _LINKED: (
                n == 0 or faults.n_unlinked / n <= MOST_UNLINKED,
                {"n_unlinked": faults.n_unlinked, "most": MOST_UNLINKED},
                "Land a vocabulary (omop concept, concept_relationship), or lower entities.least_link_score.",
            ),
        }
        for name, (passed, counts, mend) in verdicts.items():
            yield dg.AssetCheckResult(
                asset_key=MENTIONS_KEY,
                check_name=name,
                passed=passed,
                severity=_WARN if name == _LINKED else _ERROR,
                metadata={"n_mentions": n, **counts},
                description=None if passed else mend,
            )

    return mentions_stand_in_their_notes
