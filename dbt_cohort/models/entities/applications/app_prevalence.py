"""Prevalence per condition and year, in all, by sex and by age, with Wilson limits; small counts and what gives them away withheld."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.entities.applications.patterns import prevalence_table

    dbt.config(alias="prevalence", materialized="table")
    return prevalence_table(dbt.ref("app_prevalence_counts").to_arrow_table())
