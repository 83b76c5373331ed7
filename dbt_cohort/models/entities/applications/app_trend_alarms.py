"""Months in which an entity was seen more or less often than in the months before. One row a source, entity, month and length of window."""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.entities.applications.trends import alarms_table

    dbt.config(alias="trend_alarms", materialized="table")
    return alarms_table(dbt.ref("app_monthly_counts").to_arrow_table())
