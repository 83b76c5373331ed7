{{ config(alias='milestones') }}
-- Molecular response at 3, 6 and 12 months (ELN 2020 milestones). One row a population, milestone and response.
with counted as (
    select *, {{ shown('n', "concat_ws('|', 'milestones', population, month, response)") }} as shown_n
    from {{ ref('counts_milestones') }}
)

select
    population,
    month,
    response,
    shown_n as n,
    case
        when bool_and(shown_n is not null) over (partition by population, month)
            then round(100.0 * shown_n / nullif(sum(n) filter (response not in ('not_measured', 'not_followed')) over (partition by population, month), 0), 1)
    end as percent_of_measured,
    shown_n is null as is_withheld
from counted
