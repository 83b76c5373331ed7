-- Which rules each person meets, and which one excluded them. One row a person and rule that could be asked: a person
-- without an index has the first rule only.
{% set rules = ['has_cml_index', 'adult_at_index', 'prior_observation', 'no_prior_tki', 'no_other_tki',
                'no_transplant_before_index', 'no_advanced_phase_at_start', 'imatinib_started'] %}
with answers as (
    {% for rule in rules %}
    select * from {{ ref('rule_' ~ rule) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    answers.person_id,
    rules.rule_order,
    answers.rule,
    answers.holds,
    answers.decided_on,
    coalesce(
        rules.rule_order = min(rules.rule_order) filter (not answers.holds) over (partition by answers.person_id), false
    ) as excluded_here
from answers
inner join {{ ref('cohort_rules') }} as rules using (rule)
