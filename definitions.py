"""Assembly only: what the code location `clinical_assets` consists of. Domain code and Dagster parts live elsewhere."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from clinical_assets.cohort.assets import build_cohort_assets
from clinical_assets.cohort.omop_landing import cdm_tables
from clinical_assets.labels.assets import regex_labels, regex_seed_labels
from clinical_assets.labels.checks import build_label_checks
from clinical_assets.notes.assets import ingest_note_batch
from clinical_assets.notes.checks import build_note_checks
from clinical_assets.privacy import switch_off_telemetry
from resources.dbt import dbt_resource, ensure_manifest
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.landing import LandingResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource
from sensors.alerts import alert_on_run_failure
from sensors.automation import build_automation_sensors, with_automation
from sensors.jobs import build_jobs
from sensors.landing import build_ingest_job, build_landing_sensors
from sensors.quality import build_failed_partition_checks, build_quality_schedule

__all__ = ["build_defs", "defs"]


def build_defs(
    *, deployment: DeploymentResource | None = None, resources: Mapping[str, Any] | None = None
) -> dg.Definitions:
    """Return the definitions of this code location.

    Parameters
    ----------
    deployment
        Settings other than those of the environment (tests, tools).
    resources
        Resources that replace the usual ones, by name.
    """
    switch_off_telemetry()
    # Checks per partition are a preview feature that this project tests (blocking and automation per batch).
    warnings.filterwarnings(
        "ignore", message="Specifying a partitions_def on an AssetCheckSpec", category=dg.PreviewWarning
    )
    warnings.filterwarnings("ignore", message="Function `multi_observable_source_asset`", category=dg.BetaWarning)
    manifest = ensure_manifest()
    deployment = deployment or DeploymentResource()
    built = [*build_cohort_assets(manifest), ingest_note_batch, regex_labels, regex_seed_labels]
    assets = dg.map_asset_specs(with_automation, built)
    specs = [spec for asset in assets for spec in asset.specs]
    per_batch = sorted(spec.key for spec in specs if spec.partitions_def == NOTE_BATCHES)
    landing = sorted(spec.key for spec in specs if spec.key.path[0] == "landing")
    warehouse = sorted(spec.key for spec in specs if spec.key not in {*per_batch, *landing})
    intake = sorted(ingest_note_batch.keys)
    ingest_job = build_ingest_job(intake)
    landed = cdm_tables(json.loads(manifest.read_text(encoding="utf-8")))
    omop_tables = {table.name: table.folder for table in landed}
    return dg.Definitions(
        assets=assets,
        asset_checks=[
            *build_note_checks(),
            *build_label_checks("regex"),
            *build_label_checks("regex_seed"),
            *build_failed_partition_checks(per_batch),
        ],
        jobs=[
            ingest_job,
            *build_jobs(per_batch=per_batch, intake=intake, landing=landing, warehouse=warehouse),
        ],
        schedules=[build_quality_schedule(per_batch)],
        sensors=[*build_landing_sensors(ingest_job, omop_tables), *build_automation_sensors(), alert_on_run_failure],
        resources={
            "deployment": deployment,
            "landing": LandingResource(deployment=deployment),
            "lake": LakeResource(deployment=deployment),
            "warehouse": WarehouseResource(deployment=deployment),
            "dbt": dbt_resource(),
            **(resources or {}),
        },
    )


defs = build_defs()
