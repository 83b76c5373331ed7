"""Asset checks of the summaries: every source has one, it is short enough, its numbers are there."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.summaries.keeping import LEAST_NUMERIC, Kept, kept_in
from clinical_assets.summaries.source import note_places
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, Stage
from clinical_assets.summaries.vocabulary import concept_names, vocabulary_of
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = ["build_summary_checks"]

_EVERY, _SHORT, _NUMBERS = "every_source_has_a_summary", "ratio_is_at_most_the_target", "numeric_facts_are_kept"


def build_summary_checks(written: Sequence[Stage] = ()) -> list[dg.AssetChecksDefinition]:
    """Return the checks of both offline stages, and of what models write."""
    return [_checks(stage) for stage in (VERBOSE, COMPRESSED, *written)]


def _checks(stage: Stage) -> dg.AssetChecksDefinition:
    key = dg.AssetKey(stage.table.split("/"))

    @dg.multi_asset_check(
        name=f"{key.path[-1]}_summaries_keep_what_counts",
        specs=[
            dg.AssetCheckSpec(name, asset=key, blocking=name == _EVERY, partitions_def=NOTE_BATCHES)
            for name in (_EVERY, _SHORT, _NUMBERS)
        ],
    )
    def summaries_keep_what_counts(
        context: dg.AssetCheckExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> Iterator[dg.AssetCheckResult]:
        study, batch = deployment.load_study(), context.partition_key
        with warehouse.reader().get_connection() as connection:
            scope, names = notes_in_scope(warehouse.reader(), batch), vocabulary_of(study, concept_names(connection))
            kept = kept_in(
                lake.open(), stage, study, batch, scope, names, lambda persons: note_places(connection, persons)
            )
        for name, (passed, numbers, mend) in _verdicts(kept).items():
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=passed,
                severity=dg.AssetCheckSeverity.ERROR if name == _EVERY else dg.AssetCheckSeverity.WARN,
                metadata=numbers,
                description=None if passed else mend,
            )

    return summaries_keep_what_counts


def _verdicts(kept: Kept) -> dict[str, tuple[bool, dict[str, Any], str]]:
    given = {"ratio": kept.ratio, "retention": kept.retention}
    shown = {name: value for name, value in given.items() if value is not None}
    return {
        _EVERY: (
            kept.n_missing + kept.n_stale == 0,
            {"n_sources": kept.n_sources, "n_missing": kept.n_missing, "n_stale": kept.n_stale},
            "Materialize the summaries of this batch again: the notes in scope, or their texts, changed.",
        ),
        _SHORT: (
            kept.n_over == 0,
            {
                "n_shortened": kept.n_shortened,
                "n_over": kept.n_over,
                **{k: v for k, v in shown.items() if k == "ratio"},
            },
            "The numbers of these sources alone need more than the target; raise it in the study, or read them whole.",
        ),
        _NUMBERS: (
            kept.retention is None or kept.retention >= LEAST_NUMERIC,
            {
                "n_with_numbers": kept.n_with_numbers,
                "n_below": kept.n_below,
                "least": LEAST_NUMERIC,
                **{k: v for k, v in shown.items() if k == "retention"},
            },
            "Numbers are lost on average: raise verbose_ratio or verbose_max_tokens in the study.",
        ),
    }
