"""How far any two annotators agree on the notes that both read. One row a pair and field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.annotations.annotator_agreement import annotator_agreement_table

    dbt.config(materialized="table")
    return annotator_agreement_table(dbt.ref("annotations").to_arrow_table())
