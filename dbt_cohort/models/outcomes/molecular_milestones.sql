-- BCR::ABL1 on the international scale at 3, 6 and 12 months of imatinib against the ELN 2020 milestones; the result
-- nearest to the milestone counts, within 45 days of it. One row a population, person and milestone.
with milestones(month, optimal_to, warning_to) as (values (3, 10.0, null), (6, 1.0, 10.0), (12, 0.1, 1.0)),

due as (
    select
        course.population,
        course.person_id,
        milestones.*,
        course.first_imatinib_date + cast(round(milestones.month * 30.4375) as integer) as due_date,
        course.follow_up_end
    from {{ ref('outcome_populations') }} as course
    cross join milestones
),

nearest as (
    select due.population, due.person_id, due.month,
        arg_min(result.value_as_number, (abs(result.start_date - due.due_date), result.start_date, result.value_as_number)) as value_percent
    from due
    inner join {{ events_of('bcr_abl1_ratio') }} as result
        on result.person_id = due.person_id
        and result.start_date between due.due_date - 45 and due.due_date + 45
        and result.start_date <= due.follow_up_end
    where result.value_as_number is not null and coalesce(result.unit_concept_id, 0) in (0, 8554)
    group by all
)

select
    due.population,
    due.person_id,
    due.month,
    due.due_date,
    nearest.value_percent,
    case
        when nearest.value_percent <= due.optimal_to then 'optimal'
        when nearest.value_percent <= due.warning_to or (nearest.value_percent is not null and due.warning_to is null) then 'warning'
        when nearest.value_percent is not null then 'failure'
        when due.follow_up_end < due.due_date then 'not_followed'
        else 'not_measured'
    end as response
from due
left join nearest using (population, person_id, month)
