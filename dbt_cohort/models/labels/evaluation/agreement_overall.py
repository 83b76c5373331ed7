"""How far all machine labellers agree on the notes in scope. One row a field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.label_agreement import overall_table

    dbt.config(materialized="table")
    return overall_table(dbt.ref("scope_answers").to_arrow_table())
