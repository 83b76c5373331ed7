{{ config(alias='demographics') }}
-- Tables 1, 3, 5, 7 and 9 of the imatinib study: who the persons of each population are. A count of 1 to 10 is withheld, and
-- so is whatever would give it away. One row a population, characteristic and level.
with counted as (
    select
        *,
        {{ shown('n', "concat_ws('|', 'demographics', population, characteristic, level)") }} as shown_n,
        {{ shown('n', "concat_ws('|', 'demographics', population, 'all', 'all')") }} is not null as total_is_shown
    from {{ ref('counts_demographics') }}
)

select
    population,
    characteristic,
    level,
    level_order,
    shown_n as n,
    case
        when total_is_shown
            then round(100.0 * shown_n / nullif(max(n) filter (characteristic = 'all') over (partition by population), 0), 1)
    end as percent,
    shown_n is null as is_withheld
from counted
