"""Where to cut each labeller's P(true), and how to recalibrate it. One row a labeller and field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.thresholds import thresholds_table

    dbt.config(materialized="table")
    return thresholds_table(dbt.ref("evaluation_items").to_arrow_table())
