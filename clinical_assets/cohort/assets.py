"""Dagster assets of the cohort: the landed OMOP tables (observed) and every table of dbt_cohort (built)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, DbtProject, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from clinical_assets.cohort.build import dbt_build_arguments, warehouse_build
from clinical_assets.cohort.figures import study_figures
from clinical_assets.cohort.omop_landing import cdm_tables, snapshot_digest, snapshot_files
from clinical_assets.cohort.parameters import dbt_vars, parameters_digest
from clinical_assets.cohort.scope import scope_digests
from clinical_assets.entities.applications.trials import trial_files
from resources.dbt import KEPT_LINEAGE, keep_parsed
from resources.dbt_metadata import with_table_metadata
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.report import publish_figures
from resources.warehouse import WAREHOUSE_POOL, WarehouseResource

__all__ = ["STUDY_KEY", "ClinicalDbtTranslator", "build_cohort_assets"]

STUDY_KEY = dg.AssetKey(["landing", "study"])
TRIALS_KEY = dg.AssetKey(["landing", "trials"])


class ClinicalDbtTranslator(DagsterDbtTranslator):
    """Names a dbt model or seed as analysts do: asset key = schema and table of the warehouse."""

    def __init__(
        self, settings: DagsterDbtTranslatorSettings, behind: Mapping[dg.AssetKey, Sequence[dg.AssetKey]] | None = None
    ) -> None:
        """Take the keys of the assets behind each source that stands for several."""
        super().__init__(settings)
        self._behind = dict(behind or {})

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Return the spec of a model or source, with the warehouse table as its key."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None or node["resource_type"] not in {"model", "seed"}:
            return spec
        table = f"{node['schema']}.{node['alias']}"
        if any(dep.asset_key in self._behind for dep in spec.deps):
            keys = [key for dep in spec.deps for key in self._behind.get(dep.asset_key, [dep.asset_key])]
            spec = spec.replace_attributes(deps=list(dict.fromkeys(keys)))
        # A table that is named as the lake's table it publishes says by which key it is told apart.
        own = node["config"]["meta"].get("dagster", {}).get("asset_key")
        return spec.replace_attributes(
            key=dg.AssetKey(own or [node["schema"], node["alias"]]), kinds={"dbt", "duckdb"}
        ).merge_attributes(metadata={"dagster/table_name": table})


def build_cohort_assets(
    manifest_path: Path,
    *,
    behind: Mapping[dg.AssetKey, Sequence[dg.AssetKey]] | None = None,
    note_scope: dg.AssetKey | None = None,
) -> list[dg.AssetsDefinition]:
    """Return the observed OMOP sources and the dbt assets of the project whose manifest is given.

    Parameters
    ----------
    behind
        The assets behind each source of dbt that stands for several: dbt reads the labels of all models as one table, say.
    note_scope
        The asset whose partitions a build reports: the notes in scope per batch.
    """
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    tables = cdm_tables(manifest)
    folders = {table.name: table.folder for table in tables}

    @dg.multi_observable_source_asset(
        name="observe_omop_snapshot",
        can_subset=True,
        specs=[
            dg.AssetSpec(
                ["landing", table.name],
                group_name="landing",
                owners=["team:clinical-data"],
                kinds={"file"},
                description=f"Table {table.name} as it landed; one snapshot, {'required' if table.required else 'optional'}. "
                f"Its data version is the digest of the files. Read by cohort staging.",
            )
            for table in tables
        ]
        + [
            dg.AssetSpec(
                STUDY_KEY,
                group_name="landing",
                owners=["team:clinical-data"],
                kinds={"yaml"},
                description="Parameters of the study file; the data version is their digest. Read by ops.study_parameters.",
            ),
            dg.AssetSpec(
                TRIALS_KEY,
                group_name="landing",
                owners=["team:clinical-data"],
                kinds={"yaml"},
                description="Trials in landing/trials; the data version is the digest of the files. Read by applications.trial_criteria.",
            ),
        ],
    )
    def omop_snapshot(context: dg.AssetExecutionContext, deployment: DeploymentResource) -> Iterator[dg.ObserveResult]:
        folder = deployment.settings().landing / "omop"
        for key in sorted(context.selected_asset_keys):
            if key == STUDY_KEY:
                digest = parameters_digest(dbt_vars(deployment.load_study()))
                yield dg.ObserveResult(asset_key=key, data_version=dg.DataVersion(digest))
                continue
            if key == TRIALS_KEY:
                files = trial_files(deployment.settings().landing / "trials")
            else:
                files = snapshot_files(folder / folders[key.path[-1]], key.path[-1])
            yield dg.ObserveResult(
                asset_key=key,
                data_version=dg.DataVersion(snapshot_digest(files) if files else "absent"),
                metadata={"n_files": len(files), "n_bytes": sum(path.stat().st_size for path in files)},
            )

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=ClinicalDbtTranslator(DagsterDbtTranslatorSettings(enable_asset_checks=True), behind),
        name="build_warehouse",
        pool=WAREHOUSE_POOL,
    )
    def warehouse_tables(
        context: dg.AssetExecutionContext,
        dbt: DbtCliResource,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> Iterator[Any]:
        variables = dbt_vars(deployment.load_study())
        omop = deployment.settings().landing / "omop"
        events: list[Any] = []
        try:
            with warehouse_build(warehouse.open(), lake.open(), omop, tables, variables, run_id=context.run_id) as (
                work,
                landed,
            ):
                context.log.info(
                    f"OMOP tables that did not land: {sorted(t for t, there in landed.items() if not there)}"
                )
                arguments = dbt_build_arguments(variables, with_tests=bool(context.selected_asset_check_keys))
                command = dbt.cli(arguments, context=context, target_path=work / "target")
                for event in command.stream():
                    events.append(event)  # noqa: PERF402 - extend would lose what came before a failure
                keep_parsed(work / "target")
                outputs = [event for event in events if isinstance(event, dg.Output)]
                others = [event for event in events if not isinstance(event, dg.Output)]
                database = work / warehouse.open().path.name
                events = [*with_table_metadata(outputs, command, database, KEPT_LINEAGE), *others]
        except DagsterDbtCliRuntimeError as error:
            yield from (event for event in events if isinstance(event, dg.AssetCheckResult))
            raise dg.Failure(
                f"dbt build failed; the published warehouse stands as it was.\n{error}", allow_retries=False
            ) from None
        # Only now, when the new file is published: a materialization must not claim a table that nobody can read.
        yield from events
        if note_scope is not None and dg.AssetKey(["notes", "labelling_scope"]) in context.selected_asset_keys:
            _report_scope(context, note_scope, warehouse)

    return [omop_snapshot, warehouse_tables, study_report_figures]


def _report_scope(context: dg.AssetExecutionContext, key: dg.AssetKey, warehouse: WarehouseResource) -> None:
    """Record, for each batch whose notes in scope changed, that they did."""
    with warehouse.reader().get_connection() as connection:
        batches = "select 1 from duckdb_tables() where schema_name = 'ops' and table_name = 'batches'"
        if connection.execute(batches).fetchone() is None:
            context.log.warning(
                "ops/batches was never built: it is not recorded which batches have which notes in scope"
            )
            return
        digests = scope_digests(connection)
    for batch, (digest, n) in digests.items():
        known = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[batch]), limit=1
        ).records
        last = known[0].asset_materialization if known else None
        if last is not None and (last.tags or {}).get("dagster/data_version") == digest:
            continue
        context.log_event(
            dg.AssetMaterialization(
                asset_key=key,
                partition=batch,
                metadata={"dagster/partition_row_count": n},
                tags={"dagster/data_version": digest},
            )
        )


@dg.asset(
    key=["report", "figures"],
    deps=[["published", "attrition"], ["published", "imatinib_overlaps"], ["outcomes", "person_outcomes"]],
    group_name="outcomes",
    owners=["team:clinical-data"],
    kinds={"python", "matplotlib"},
    code_version="1",
)
def study_report_figures(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult[None]:
    """Figures of the study: attrition, sources of imatinib, outcomes with a row of numbers at risk per population."""
    return publish_figures(context, deployment, warehouse, study_figures)
