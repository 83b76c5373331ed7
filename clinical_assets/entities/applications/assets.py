"""Dagster assets of the applications that dbt cannot make: biomarkers in the texts of notes, and the figures."""

from datetime import UTC, datetime

import dagster as dg

from clinical_assets.entities.applications.biomarkers import RULES_VERSION, read_batch
from clinical_assets.entities.applications.figures import application_figures
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.report import publish_figures
from resources.warehouse import WarehouseResource

__all__ = ["BIOMARKERS_KEY", "build_application_assets"]

BIOMARKERS_KEY = dg.AssetKey(["entities", "biomarkers"])


def build_application_assets() -> list[dg.AssetsDefinition]:
    """Return the biomarkers of a note batch and the figures."""
    return [biomarkers, application_report_figures]


@dg.asset(
    key=BIOMARKERS_KEY,
    deps=[["notes", "notes"], ["notes", "sections"]],
    partitions_def=NOTE_BATCHES,
    group_name="applications",
    owners=["team:clinical-nlp"],
    kinds={"python", "parquet"},
    code_version=RULES_VERSION,
)
def biomarkers(
    context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Mentions of the study's biomarkers, asserted, with a cue of response. One row a mention. Read by applications.biomarker_mentions."""
    asked = deployment.load_study().applications.biomarkers
    store, batch = lake.open(), context.partition_key
    written = read_batch(store, batch, asked, run_id=context.run_id, extracted_at=datetime.now(UTC))
    names = store.read("entities/biomarkers", batch, ["biomarker"]).column("biomarker").to_pylist()
    return dg.MaterializeResult(
        data_version=dg.DataVersion(written.digest),
        metadata={
            "dagster/partition_row_count": written.n_rows,
            "n_biomarkers_asked": len(asked),
            "mentions": {name: names.count(name) for name in sorted(set(names))},
        },
    )


@dg.asset(
    key=["report", "application_figures"],
    deps=[["applications", name] for name in ("published_drug_events", "monthly_counts", "trend_alarms")],
    group_name="applications",
    owners=["team:clinical-data"],
    kinds={"python", "matplotlib"},
    code_version="1",
)
def application_report_figures(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Figures of the applications: drug-event pairs with limits (a row a pair), the loudest trend. Files in the report folder."""
    return publish_figures(context, deployment, warehouse, application_figures)
