-- How many persons each rule, applied in order, leaves; with how many fail it at all and how many fail nothing else.
-- One row a rule. Exact counts, for those who may see persons; published.attrition is the table to show.
with per_person as (
    select
        *,
        count(*) filter (not holds) over (partition by person_id) as n_failed,
        min(rule_order) filter (not holds) over (partition by person_id) as first_failed
    from {{ ref('person_rules') }}
),

totals as (select count(distinct person_id) as n_persons from {{ ref('person_rules') }}),

dropped as (
    select
        rules.rule_order,
        rules.rule,
        rules.description,
        count(*) filter (per_person.first_failed = rules.rule_order) as n_dropped,
        count(*) filter (not per_person.holds) as n_failing,
        count(*) filter (not per_person.holds and per_person.n_failed = 1) as n_failing_only_this
    from {{ ref('cohort_rules') }} as rules
    left join per_person using (rule_order)
    group by all
)

select
    rule_order,
    dropped.rule,
    description,
    n_persons - (sum(n_dropped) over before_and_here - n_dropped) as n_before,
    n_dropped,
    n_persons - sum(n_dropped) over before_and_here as n_after,
    n_failing,
    n_failing_only_this
from dropped
cross join totals
window before_and_here as (order by rule_order rows unbounded preceding)
