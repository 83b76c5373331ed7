{{ config(alias='follow_up') }}
-- How long persons were followed: person-years and the reverse Kaplan-Meier median. One row a population, outcome.
with guarded as (
    select *, {{ shown('n', "concat_ws('|', 'survival', population, outcome, 1, 'n_at_start')") }} as shown_n
    from {{ ref('survival_summary') }}
)

select
    population,
    outcome,
    shown_n as n,
    case when shown_n >= {{ param('small_cell_threshold') }} then round(person_years, 1) end as person_years,
    case when shown_n >= {{ param('small_cell_threshold') }} then round(median_follow_up_years, 2) end as median_follow_up_years,
    shown_n is null as is_withheld
from guarded
