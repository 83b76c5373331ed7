"""Observed against predicted in ten bins. One row a labeller, field or all, scale and bin."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.thresholds import reliability_table

    dbt.config(materialized="table")
    return reliability_table(dbt.ref("evaluation_items").to_arrow_table(), dbt.ref("label_thresholds").to_arrow_table())
