"""Dagster assets of the rule-based labels: the assertion engine and the seed-compatible baseline, per note batch."""

from datetime import UTC, datetime
from functools import partial

import dagster as dg

from clinical_assets.labels.batch import LabelRun, label_batch
from clinical_assets.labels.regex_labels import label_identity, label_notes, label_notes_seed
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES

__all__ = ["regex_labels", "regex_seed_labels"]


def _result(run: LabelRun) -> dg.MaterializeResult:
    rows = [dg.TableRecord({"field": name, **counts}) for name, counts in sorted(run.tally.by_field.items())]
    return dg.MaterializeResult(
        data_version=dg.DataVersion(run.written.digest),
        metadata={
            "dagster/partition_row_count": run.written.n_rows,
            "n_cached": run.tally.n_cached,
            "n_computed": run.tally.n_computed,
            "seconds": run.seconds,
            "labels": dg.TableMetadataValue(
                rows,
                dg.TableSchema(
                    [dg.TableColumn("field")]
                    + [dg.TableColumn(n, "int") for n in ("n_true", "n_false", "n_without_value")]
                ),
            ),
        },
    )


@dg.asset(
    key=["labels", "regex"],
    deps=[["notes", "notes"], ["notes", "sections"]],
    partitions_def=NOTE_BATCHES,
    group_name="labels",
    owners=["team:clinical-nlp"],
    kinds={"python", "parquet"},
    tags={"clinical/automation": "follow_code"},
    code_version="1",
)
def regex_labels(
    context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Labels by terms and ConText-style assertion. One row per note and field of the study. Read by labels.regex_labels."""
    study, store, batch = deployment.load_study(), lake.open(), context.partition_key
    sections = store.read("notes/sections", batch)
    label = partial(label_notes, sections=sections, study=study, run_id=context.run_id, labelled_at=datetime.now(UTC))
    return _result(label_batch(store, "labels/regex", batch, label_identity(study, "regex"), label, context.log.info))


@dg.asset(
    key=["labels", "regex_seed"],
    deps=[["notes", "notes"]],
    partitions_def=NOTE_BATCHES,
    group_name="labels",
    owners=["team:clinical-nlp"],
    kinds={"python", "parquet"},
    tags={"clinical/automation": "follow_code"},
    code_version="1",
)
def regex_seed_labels(
    context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Labels by the seed's rule, kept as a baseline. One row per note and field. Read by labels.regex_labels."""
    study, store, batch = deployment.load_study(), lake.open(), context.partition_key
    label = partial(label_notes_seed, study=study, run_id=context.run_id, labelled_at=datetime.now(UTC))
    return _result(
        label_batch(store, "labels/regex_seed", batch, label_identity(study, "regex_seed"), label, context.log.info),
    )
