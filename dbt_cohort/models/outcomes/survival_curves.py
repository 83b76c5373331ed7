"""The curves: Kaplan-Meier survival, Aalen-Johansen cumulative incidence where death competes; days from the first imatinib.

One row a population, outcome and distinct time. Exact counts; published.survival is the table to show.
"""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.cohort.outcomes import curves_table

    dbt.config(materialized="table")
    return curves_table(dbt.ref("person_outcomes").to_arrow_table())
