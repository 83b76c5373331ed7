"""Drug-event pairs with measures of disproportionality. One row a source, drug and event that were seen together; exact counts.

A pair that is flagged was seen together more often than expected. It is never said to be caused.
"""


def model(dbt, session):  # noqa: ANN001, ANN201 - dbt's own signature
    from clinical_assets.entities.applications.safety import pairs_table

    dbt.config(alias="drug_event_pairs", materialized="table")
    return pairs_table(dbt.ref("app_drug_event_counts").to_arrow_table())
