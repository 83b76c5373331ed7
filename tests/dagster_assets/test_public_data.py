"""The same graph on real public text: every landed row is accounted for, and staging holds what the source holds."""

from __future__ import annotations

import dagster as dg
import duckdb
import pyarrow.parquet as pq
import pytest

from clinical_assets.cli.public_data import land_public_data
from resources.partitions import NOTE_BATCHES_NAME


@pytest.mark.slow
def test_gibleed_with_mtsamples_and_e3c_goes_through_the_graph_with_no_row_lost(public_data, tmp_path) -> None:
    from definitions import build_defs
    from resources.deployment import DeploymentResource

    data = tmp_path / "data"
    said = list(land_public_data(public_data, data / "landing"))
    assert any("synthetically" in line for line in said)
    defs = build_defs(deployment=DeploymentResource(data=str(data)))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["mtsamples", "e3c"])
        for batch in ("mtsamples", "e3c"):
            job = defs.resolve_job_def("materialize_note_batch")
            assert job.execute_in_process(instance=instance, partition_key=batch).success
        assert defs.resolve_job_def("build_warehouse_job").execute_in_process(instance=instance).success
    with duckdb.connect(str(data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:

        def query(sql: str):
            return connection.execute(sql).fetchall()

        batches = {
            batch: rest for batch, *rest in query("select batch, n_landed, n_stored, n_rejected from ops.batches")
        }
        for batch in ("mtsamples", "e3c"):
            landed = pq.read_metadata(data / "landing" / "notes" / f"{batch}.parquet").num_rows
            n_landed, n_stored, n_rejected = batches[batch]
            assert n_landed == landed == n_stored + n_rejected
            assert n_stored == query(f"select count(*) from notes.note_index where batch = '{batch}'")[0][0]
        for table in ("person", "condition_occurrence", "drug_exposure", "observation_period", "concept_ancestor"):
            source = pq.read_metadata(public_data / "omop" / "gibleed" / f"{table}.parquet").num_rows
            assert query(f"select count(*) from omop.{table}") == [(source,)]
        counts = query(
            "select field, n_notes, n_true, n_false, n_without_value from labels.concept_counts where labeller = 'regex'"
        )
        assert len(counts) == 9
        for field, n_notes, n_true, n_false, n_without_value in counts:
            assert n_notes == n_true + n_false + n_without_value == sum(n for n, _, _ in batches.values()), field
        # E3C holds case reports of GIST on imatinib: named, and no CML.
        assert query(
            "select count(*) > 0 from labels.regex_labels m join labels.regex_labels c using (labeller, note_id) "
            "where m.labeller = 'regex' and m.field = 'imatinib_mentioned' and m.value and c.field = 'cml_diagnosed' and not c.value"
        ) == [(True,)]
