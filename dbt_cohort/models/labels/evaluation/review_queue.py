"""What a human should look at next. One row a note and field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.review_queue import review_queue_table

    dbt.config(materialized="table")
    return review_queue_table(dbt.ref("scope_answers").to_arrow_table())
