"""How good every labeller is on every field, against gold. One row a labeller, field, note set and rule."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.evaluation import evaluation_table

    dbt.config(materialized="table")
    return evaluation_table(dbt.ref("evaluation_items").to_arrow_table(), dbt.ref("label_thresholds").to_arrow_table())
