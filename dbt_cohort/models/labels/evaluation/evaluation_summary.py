"""The same over all fields. One row a labeller, note set and rule."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.evaluation import summary_table

    dbt.config(materialized="table")
    return summary_table(dbt.ref("evaluation_items").to_arrow_table(), dbt.ref("label_thresholds").to_arrow_table())
