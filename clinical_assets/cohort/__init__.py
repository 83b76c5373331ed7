"""The cohort tables: OMOP and lake views that dbt reads, and the dbt assets. The SQL itself lives in dbt_cohort."""
