"""How many, how long and the medians, per population and outcome. One row each."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.cohort.outcomes import summary_table

    dbt.config(materialized="table")
    return summary_table(dbt.ref("person_outcomes").to_arrow_table())
