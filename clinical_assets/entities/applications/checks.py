"""Asset checks of the applications: what landed can be used, what is shown is not small, what is flagged has enough reports."""

import dagster as dg

from clinical_assets.entities.applications.biomarkers import BiomarkerReader, offsets_outside
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = ["SHOWN_COUNTS", "build_application_checks"]

# tables that may be shown, and the counts in them
SHOWN_COUNTS = {
    "published_drug_events": ("n_a", "n_b", "n_c", "n_d"),
    "treatment_patterns": ("n_with_condition", "n_persons"),
    "treatment_sequences": ("n_persons",),
    "prevalence": ("n_persons", "n_with_condition"),
    "biomarker_comentions": ("n_persons",),
}


def build_application_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of the applications."""
    return [
        every_trial_can_be_matched,
        every_row_of_the_label_table_is_used,
        _biomarkers_check(),
        flagged_pairs_have_enough_reports,
        *(_no_shown_count_is_small(table, columns) for table, columns in SHOWN_COUNTS.items()),
    ]


@dg.asset_check(asset=["applications", "trial_problems"])
def every_trial_can_be_matched(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Every trial of the study and of landing/trials is readable, and its concepts, units and fields are known."""
    with warehouse.reader().get_connection() as connection:
        problems = connection.sql(
            "select trial, criterion, problem from applications.trial_problems order by all"
        ).fetchall()
    lines = [f"{trial}{'.' + criterion if criterion else ''}: {problem}" for trial, criterion, problem in problems]
    return dg.AssetCheckResult(
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"n_problems": len(problems), "problems": "\n".join(lines[:20]) or "none"},
        description="A criterion with a problem is unknown for everybody: see applications.trial_problems."
        if problems
        else None,
    )


@dg.asset_check(asset=["applications", "drug_labels"])
def every_row_of_the_label_table_is_used(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Every row of landing/labels_of_drugs.csv names a known drug, condition, kind and source. Skipped where none landed."""
    with warehouse.reader().get_connection() as connection:
        found = dict(
            connection.sql("select status, count(*) from applications.drug_labels group by all order by all").fetchall()
        )
    unused = sum(n for status, n in found.items() if status != "used")
    absent = "skipped: no landing/labels_of_drugs.csv; drugs are not checked against labels"
    return dg.AssetCheckResult(
        passed=unused == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows": found or absent},
        description="Mend the rows that applications.drug_labels names." if unused else None if found else absent,
    )


def _biomarkers_check() -> dg.AssetChecksDefinition:
    # Made when asked for: a check per partition warns that it is a preview, which the definitions silence.
    @dg.asset_check(
        asset=["entities", "biomarkers"],
        blocking=True,
        partitions_def=NOTE_BATCHES,
        additional_deps=[["notes", "notes"]],
    )
    def biomarkers_lie_within_their_notes(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> dg.AssetCheckResult:
        """Every mention is of a note of the batch as it stands, inside its text, and by the study's list of now."""
        store, batch = lake.open(), context.partition_key
        sha = BiomarkerReader(deployment.load_study().applications.biomarkers).sha
        outside = offsets_outside(store, batch)
        stale = sum(
            value != sha for value in store.read("entities/biomarkers", batch, ["rules_sha"]).column(0).to_pylist()
        )
        return dg.AssetCheckResult(
            passed=not outside and not stale,
            metadata={"n_outside": outside, "n_of_another_list": stale},
            description="Materialize entities/biomarkers of this batch again." if outside or stale else None,
        )

    return biomarkers_lie_within_their_notes


@dg.asset_check(asset=["applications", "drug_event_pairs"])
def flagged_pairs_have_enough_reports(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """No pair is flagged with fewer persons than the study's minimum, and every table adds up to the persons of its source."""
    with warehouse.reader().get_connection() as connection:
        few, sums = connection.sql(
            "select count(*) filter (is_flagged and a < minimum_reports), "
            "(select count(*) from (select source from applications.drug_event_pairs group by source "
            "having count(distinct a + b + c + d) > 1)) from applications.drug_event_pairs"
        ).fetchall()[0]
        flagged = connection.sql("select count(*) from applications.drug_event_pairs where is_flagged").fetchall()[0][0]
    return dg.AssetCheckResult(
        passed=few == 0 and sums == 0,
        metadata={"n_flagged": flagged, "n_with_few_reports": few, "n_sources_that_do_not_add_up": sums},
    )


def _no_shown_count_is_small(table: str, columns: tuple[str, ...]) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=["applications", table], name="no_shown_count_is_small", blocking=True)
    def no_shown_count_is_small(warehouse: WarehouseResource, deployment: DeploymentResource) -> dg.AssetCheckResult:
        """No count from 1 to below the study's smallest cell is in a table that may be shown."""
        smallest = deployment.load_study().publication.small_cell_threshold
        small = " or ".join(f"{column} between 1 and {smallest - 1}" for column in columns)
        with warehouse.reader().get_connection() as connection:
            n = connection.sql(f"select count(*) from applications.{table} where {small}").fetchall()[0][0]
        return dg.AssetCheckResult(passed=n == 0, metadata={"n_small": n, "smallest_shown": smallest})

    return no_shown_count_is_small
