-- Whose outcomes are estimated, from the first imatinib on: the cohort, and everyone who meets its rules without the one
-- that looks ahead (no other inhibitor until censoring), because asking for that selects those who did well.
-- One row a population and person.
with eligible as (
    select
        person_id,
        bool_and(holds) as in_cohort,
        bool_and(holds) filter (rule <> 'no_other_tki') as in_starters
    from {{ ref('person_rules') }}
    group by person_id
)

select unnest(case when in_cohort then ['cohort', 'imatinib_starters'] else ['imatinib_starters'] end) as population, course.*
from {{ ref('cml_course') }} as course
inner join eligible using (person_id)
where in_starters
    and course.first_imatinib_date <= course.follow_up_end
