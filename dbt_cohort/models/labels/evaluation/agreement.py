"""How far any two labellers agree on the notes in scope. One row a pair and field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.label_agreement import agreement_table

    dbt.config(materialized="table")
    return agreement_table(dbt.ref("scope_answers").to_arrow_table())
