-- The cohort: adults with newly diagnosed chronic-phase CML who started imatinib and took no other ABL inhibitor while
-- followed. One row a person who meets every rule.
with eligible as (
    select person_id from {{ ref('person_rules') }} group by person_id having bool_and(holds)
),

-- hydroxyurea bridges the days to the first inhibitor and excludes nobody; AML codes in CML are often blast phase
before_start as (
    select
        course.person_id,
        bool_or(bridge.person_id is not null) as hydroxyurea_before_imatinib,
        bool_or(aml.person_id is not null) as aml_recorded_before_imatinib
    from {{ ref('cml_course') }} as course
    left join {{ events_of('hydroxyurea') }} as bridge
        on bridge.person_id = course.person_id and bridge.start_date <= course.first_imatinib_date
    left join {{ events_of('aml') }} as aml
        on aml.person_id = course.person_id and aml.start_date <= course.first_imatinib_date
    group by course.person_id
),

first_era as (
    select person_id, era_start, era_end, era_days
    from {{ ref('treatment_eras') }}
    where drug = 'imatinib'
)

select
    course.person_id,
    course.index_date,
    course.first_imatinib_date as imatinib_start,
    first_era.era_end as first_era_end,
    first_era.era_days as first_era_days,
    course.period_start,
    course.period_end,
    course.follow_up_end,
    course.follow_up_end_reason,
    course.follow_up_days,
    course.age_at_index,
    course.birth_date_is_approximate,
    course.sex,
    course.race,
    course.ethnicity,
    evidence.evidence_tier,
    before_start.hydroxyurea_before_imatinib,
    before_start.aml_recorded_before_imatinib
from {{ ref('cml_course') }} as course
inner join eligible using (person_id)
inner join {{ ref('bcr_abl1_evidence') }} as evidence using (person_id)
inner join before_start using (person_id)
left join first_era
    on first_era.person_id = course.person_id
    and course.first_imatinib_date between first_era.era_start and first_era.era_end
