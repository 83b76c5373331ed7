{{ config(alias='survival') }}
-- What became of the persons followed, between horizons: every one who was followed beyond the last horizon has the outcome,
-- dies before it, is censored, or is followed beyond this one. One row a population, outcome and horizon.
with horizons as (
    select years, cast(round(years * 365.25) as integer) as to_days,
        lag(cast(round(years * 365.25) as integer), 1, -1) over (order by years) as from_days
    from (values (1), (2), (3), (5), (8)) as horizon(years)
)

select
    outcome.population,
    outcome.outcome,
    horizons.years,
    count_if(outcome.days > from_days) as n_at_start,
    count_if(outcome.days > from_days and outcome.days <= to_days and status = 1) as n_events,
    count_if(outcome.days > from_days and outcome.days <= to_days and status = 2) as n_competing,
    count_if(outcome.days > from_days and outcome.days <= to_days and status = 0) as n_censored,
    count_if(outcome.days > to_days) as n_beyond
from {{ ref('person_outcomes') }} as outcome
cross join horizons
group by all
