"""How good each machine labeller is by their consensus, without gold. One row a labeller and field."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.labels.consensus import consensus_table

    dbt.config(materialized="table")
    return consensus_table(dbt.ref("scope_answers").to_arrow_table())
