{{ config(alias='trial_criteria') }}

-- Every criterion of every trial for each candidate: met, not_met or unknown, and the fact or the place in a note that decided. What is
-- not known is unknown, never not_met. A candidate is a person in whom at least one wanted condition, drug, procedure, value or
-- field was found (everybody, for a trial that asks for none), and who is not known to have died before. One row a trial, person and criterion.
with criteria as (
    select
        asked.*,
        coalesce(asked.as_of, (select max(observation_period_end_date) from {{ ref('stg_omop__observation_period') }})) as on_day,
        problem.trial is not null as has_problem
    from {{ source('trials', 'trial_criteria') }} as asked
    left join (select distinct trial, criterion from {{ ref('app_trial_problems') }}) as problem using (trial, criterion)
    where asked.problem is null
),

windows as (
    select *, on_day - coalesce(within_days, 36525) as from_day from criteria
),

declared as (select trial, criterion, fact, include_descendants, unnest(concepts) as concept_id from criteria),

wanted as (
    select trial, criterion, fact, concept_id from declared
    union
    select declared.trial, declared.criterion, declared.fact, ancestor.descendant_concept_id
    from declared
    inner join {{ ref('stg_omop__concept_ancestor') }} as ancestor on ancestor.ancestor_concept_id = declared.concept_id
    where declared.include_descendants
),

events as (
    select wanted.trial, wanted.criterion, person_id, 'condition_occurrence' as fact_table, condition_occurrence_id as fact_id, condition_start_date as fact_date, condition_start_date as until_date
    from {{ ref('stg_omop__condition_occurrence') }}
    inner join wanted on wanted.fact = 'condition' and wanted.concept_id = condition_concept_id
    union all
    select wanted.trial, wanted.criterion, person_id, 'drug_exposure', drug_exposure_id, drug_exposure_start_date, greatest(drug_exposure_start_date, coalesce(drug_exposure_end_date, drug_exposure_start_date))
    from {{ ref('stg_omop__drug_exposure') }}
    inner join wanted on wanted.fact = 'drug' and wanted.concept_id = drug_concept_id
    union all
    select wanted.trial, wanted.criterion, person_id, 'procedure_occurrence', procedure_occurrence_id, procedure_date, procedure_date
    from {{ ref('stg_omop__procedure_occurrence') }}
    inner join wanted on wanted.fact = 'procedure' and wanted.concept_id = procedure_concept_id
),

records as (
    select events.trial, events.criterion, events.person_id, max_by({'fact_table': fact_table, 'fact_id': fact_id, 'fact_date': fact_date}, (fact_date, fact_id)) as fact
    from events
    inner join windows as asked using (trial, criterion)
    where events.fact_date <= asked.on_day and events.until_date >= asked.from_day
    group by all
),

notes as (
    select * from {{ ref('note_index') }}
),

said as (
    select
        wanted.trial,
        wanted.criterion,
        found.person_id,
        max_by(
            {'note_id': found.note_id, 'note_date': found.note_date, 'start': found."start", 'end': found."end", 'assertion': found.assertion},
            (found.note_date, found.note_id, found.mention_index)
        ) as latest,
        max_by(
            {'note_id': found.note_id, 'note_date': found.note_date, 'start': found."start", 'end': found."end", 'assertion': found.assertion},
            (found.note_date, found.note_id, found.mention_index)
        ) filter (found.assertion = 'affirmed' or (found.assertion = 'historical' and asked.within_days is null)) as affirmed
    from {{ source('lake', 'entities_mentions') }} as found
    inner join notes as note on note.note_id = found.note_id and note.batch = found.batch and note.text_sha256 = found.note_sha256
    inner join wanted on wanted.concept_id = found.concept_id and wanted.fact = if(found.entity_type = 'chemical', 'drug', 'condition')
    inner join windows as asked using (trial, criterion)
    where found.note_date between asked.from_day and asked.on_day
    group by all
),

answers as (
    select
        asked.trial,
        asked.criterion,
        label.person_id,
        max_by(
            {'note_id': label.note_id, 'note_date': note.note_date, 'start': label.evidence_start, 'end': label.evidence_end, 'assertion': label.assertion, 'value': label.value},
            (note.note_date, label.note_id)
        ) as latest
    from windows as asked
    inner join {{ source('lake', 'labels_regex') }} as label on label.field = asked.note_field and label.mentioned
    inner join notes as note on note.note_id = label.note_id and note.batch = label.batch and note.text_sha256 = label.note_sha256
    where asked.fact = 'note_field' and note.note_date between asked.from_day and asked.on_day
    group by all
),

labs as (
    select
        asked.trial,
        asked.criterion,
        measured.person_id,
        max_by(
            {'fact_id': measured.measurement_id, 'fact_date': measured.measurement_date, 'value': measured.value_as_number,
             'unit': coalesce(unit.concept_code, measured.unit_source_value),
             'fits': lower(asked.unit) in (lower(unit.concept_code), lower(unit.concept_name), lower(measured.unit_source_value))},
            (measured.measurement_date, measured.measurement_id)
        ) filter (measured.value_as_number is not null) as latest,
        max(measured.measurement_date) as last_date
    from windows as asked
    inner join wanted using (trial, criterion)
    inner join {{ ref('stg_omop__measurement') }} as measured on measured.measurement_concept_id = wanted.concept_id
    left join {{ ref('stg_omop__concept') }} as unit on unit.concept_id = measured.unit_concept_id and unit.concept_id <> 0
    where asked.fact = 'lab' and measured.measurement_date between asked.from_day and asked.on_day
    group by all
),

found as (
    select trial, criterion, person_id from records
    union
    select trial, criterion, person_id from said where affirmed is not null
    union
    select trial, criterion, person_id from labs
    union
    select trial, criterion, person_id from answers where latest.value
),

anchored as (select distinct trial from criteria where kind = 'inclusion' and fact not in ('age', 'sex')),

possible as (
    select found.trial, found.person_id, criteria.on_day
    from found
    inner join criteria using (trial, criterion)
    where criteria.kind = 'inclusion'
    union
    select criteria.trial, person.person_id, criteria.on_day
    from criteria
    cross join {{ ref('stg_omop__person') }} as person
    where criteria.trial not in (select trial from anchored)
),

-- who died before the day of matching is no candidate
candidates as (
    select possible.trial, possible.person_id
    from possible
    anti join {{ ref('stg_omop__death') }} as death on death.person_id = possible.person_id and death.death_date < possible.on_day
),

observed as (
    select distinct asked.trial, asked.criterion, period.person_id
    from windows as asked
    inner join {{ ref('stg_omop__observation_period') }} as period
        on period.observation_period_start_date <= if(asked.within_days is null, asked.on_day, asked.from_day) and period.observation_period_end_date >= asked.on_day
    where asked.no_record_means = 'absent'
),

judged as (
    select
        candidates.trial,
        candidates.person_id,
        asked.criterion_order,
        asked.criterion,
        asked.kind,
        asked.fact as asks_for,
        asked.comparator,
        asked.limit_value,
        -- completed years: the birthday of this year may still come
        case when person.birth_date is not null then date_sub('year', person.birth_date, asked.on_day) end as age,
        case person.gender_concept_id when 8507 then 'male' when 8532 then 'female' end as person_sex,
        records.fact as record,
        said.affirmed,
        said.latest as mention,
        labs.latest as lab,
        labs.person_id is not null as has_lab,
        answers.latest as answer,
        observed.person_id is not null as is_observed,
        asked.has_problem,
        asked.at_least,
        asked.at_most,
        asked.sex
    from candidates
    inner join windows as asked using (trial)
    inner join {{ ref('stg_omop__person') }} as person using (person_id)
    left join records using (trial, criterion, person_id)
    left join said using (trial, criterion, person_id)
    left join labs using (trial, criterion, person_id)
    left join answers using (trial, criterion, person_id)
    left join observed using (trial, criterion, person_id)
),

present as (
    select
        *,
        case
            when has_problem then null
            when asks_for = 'age' then age >= coalesce(at_least, age) and age <= coalesce(at_most, age)
            when asks_for = 'sex' then person_sex = sex
            when asks_for = 'lab' then
                case
                    when lab is null or not coalesce(lab.fits, false) then null
                    when comparator = '<' then lab.value < limit_value
                    when comparator = '<=' then lab.value <= limit_value
                    when comparator = '>' then lab.value > limit_value
                    when comparator = '>=' then lab.value >= limit_value
                    else lab.value = limit_value
                end
            when asks_for = 'note_field' then
                case when answer.value then true when answer.assertion = 'negated' then false end
            when record is not null or affirmed is not null then true
            when mention.assertion = 'negated' then false
            when mention is null and is_observed then false
        end as is_present,
        case
            when has_problem then 'criterion_has_a_problem'
            when asks_for = 'age' then if(age is null, 'no_date_of_birth', 'date_of_birth')
            when asks_for = 'sex' then if(person_sex is null, 'sex_not_recorded', 'sex')
            when asks_for = 'lab' then
                case when not has_lab then 'no_record' when lab is null then 'no_number' when not coalesce(lab.fits, false) then 'other_unit' else 'latest_value' end
            when asks_for = 'note_field' then
                case when answer is null then 'not_mentioned' else 'latest_note_' || coalesce(answer.assertion, 'unclear') end
            when record is not null then 'record'
            when affirmed is not null then 'note_' || affirmed.assertion
            when mention is not null then 'note_' || mention.assertion
            when is_observed then 'no_record_under_observation'
            else 'no_record'
        end as reason
    from judged
)

select
    trial,
    person_id,
    criterion_order,
    criterion,
    kind,
    asks_for,
    case when is_present is null then 'unknown' when is_present = (kind = 'inclusion') then 'met' else 'not_met' end as status,
    reason,
    case when reason = 'record' then record.fact_table when reason in ('latest_value', 'other_unit') then 'measurement' when reason in ('date_of_birth', 'sex') then 'person' end as fact_table,
    case when reason = 'record' then record.fact_id when reason in ('latest_value', 'other_unit') then lab.fact_id when reason in ('date_of_birth', 'sex') then person_id end as fact_id,
    case when reason = 'record' then record.fact_date when reason in ('latest_value', 'other_unit') then lab.fact_date end as fact_date,
    case when reason in ('latest_value', 'other_unit') then lab.value when reason = 'date_of_birth' then age end as fact_value,
    case when reason in ('latest_value', 'other_unit') then lab.unit end as fact_unit,
    case when starts_with(reason, 'latest_note_') then answer.note_id when starts_with(reason, 'note_') then coalesce(affirmed.note_id, mention.note_id) end as note_id,
    case when starts_with(reason, 'latest_note_') then answer.start when starts_with(reason, 'note_') then coalesce(affirmed.start, mention.start) end as note_start,
    case when starts_with(reason, 'latest_note_') then answer."end" when starts_with(reason, 'note_') then coalesce(affirmed."end", mention."end") end as note_end
from present
