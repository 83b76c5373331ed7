"""How far any two labellers agree on the notes in scope, structured data among them. One row a pair and field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    import pyarrow as pa

    from clinical_assets.labels.label_agreement import agreement_table

    dbt.config(materialized="table")
    columns = ["labeller", "note_id", "person_id", "field", "value"]
    said = dbt.ref("scope_answers").to_arrow_table().select(columns)
    recorded = dbt.ref("structured_answers").to_arrow_table().select(columns)
    return agreement_table(pa.concat_tables([said, recorded]))
