-- The study's parameters of the cohort, notes and publication with which this warehouse was built. One row a parameter.
select name, value from {{ source('study', 'parameters') }}
