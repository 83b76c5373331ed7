"""What the curves say at 1, 2, 3, 5 and 8 years. One row a population, outcome and horizon."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.cohort.outcomes import horizons_table

    dbt.config(materialized="table")
    counts = dbt.ref("counts_survival")
    outcomes = dbt.ref("person_outcomes")
    years = {row["years"] for row in counts.to_arrow_table().to_pylist()}
    return horizons_table(outcomes.to_arrow_table(), sorted(years))
