"""Persons per treatment and sequence of drugs as they may be shown. One row a treatment and sequence, and one `all` per treatment."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.entities.applications.patterns import sequences_table

    dbt.config(alias="treatment_sequences", materialized="table")
    lines = dbt.ref("app_treatment_lines").to_arrow_table()
    smallest = lines.column("small_below")[0].as_py() if lines.num_rows else 1
    return sequences_table(lines, smallest)
