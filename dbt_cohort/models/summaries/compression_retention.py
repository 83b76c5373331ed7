"""Whether shorter summaries keep less. One row a summarizer, what it is compared with, and what is kept."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.summaries.evaluation.tables import compression_retention_table

    dbt.config(materialized="table")
    return compression_retention_table(dbt.ref("note_scores").to_arrow_table())
