{{ config(alias='attrition') }}

-- How many persons with the index event each step leaves. One row a step, in order. Exact counts, for those who may see persons.
with steps (step_order, step, description) as (
    values
        (0, 'index', 'Has the index event'),
        (1, 'look_back', 'First record long enough before the index'),
        (2, 'buffer', 'No outcome before the end of the buffer'),
        (3, 'age', 'Age at index within the bounds'),
        (4, 'exclusion', 'None of the excluding conditions'),
        (5, 'follow_up', 'A case in follow-up, or seen after it')
),

totals as (select count(*) as n_persons from {{ ref('risk_windows') }}),

dropped as (
    select steps.*, count(persons.person_id) as n_dropped
    from steps
    left join {{ ref('risk_windows') }} as persons
        on persons.role = 'removed' and split_part(persons.reason, ':', 1) = steps.step
    group by all
)

select
    step_order,
    step,
    description,
    cast(n_persons - (sum(n_dropped) over so_far - n_dropped) as bigint) as n_before,
    n_dropped,
    cast(n_persons - sum(n_dropped) over so_far as bigint) as n_after
from dropped
cross join totals
window so_far as (order by step_order rows unbounded preceding)
order by step_order
