"""What the summaries of each summarizer are worth together, with limits. One row a summarizer, variant and metric."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.summaries.evaluation.tables import metrics_table

    dbt.config(materialized="table")
    return metrics_table(dbt.ref("note_scores").to_arrow_table())
