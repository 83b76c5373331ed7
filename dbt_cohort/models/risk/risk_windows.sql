{{ config(alias='windows') }}

-- Everybody with the index event: dates, age, and whether case, control or removed, and why. One row a person.
-- Read by the lake table risk/cohort and by all that predicts.
with indexed as (select person_id, min(event_date) as index_date from {{ ref('risk_events') }} where role = 'index' group by person_id),

spans as (
    {% for fact in risk_fact_tables() %}
    select fact.person_id, min(fact.{{ fact.date }}) as first_event_date, max(fact.{{ fact.date }}) as last_event_date, count(*) as n_records
    from {{ ref('stg_omop__' ~ fact.table) }} as fact
    inner join indexed using (person_id)
    group by fact.person_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

observed as (select person_id, min(first_event_date) as first_event_date, max(last_event_date) as last_event_date from spans group by person_id),

found as (
    select
        event.person_id,
        min(event.event_date) filter (event.role = 'outcome') as outcome_date,
        min(event.event_date) filter (event.role = 'severe' and event.event_date > indexed.index_date) as severe_date,
        -- several may apply: the first by name is the reason
        min(event.name) filter (event.role = 'exclusion'{{ " and event.event_date < indexed.index_date" if param('risk_exclusions') == 'pre_index_only' }}) as exclusion,
        arg_max(event.value_as_number, event.event_date) filter (event.role = 'genetic_score' and event.event_date < indexed.index_date) as genetic_score
    from {{ ref('risk_events') }} as event
    inner join indexed using (person_id)
    group by event.person_id
),

persons as (
    select
        indexed.person_id,
        indexed.index_date,
        observed.first_event_date,
        observed.last_event_date,
        found.outcome_date,
        found.severe_date,
        found.exclusion,
        found.genetic_score,
        datesub('year', person.birth_date, indexed.index_date) as age_at_index,
        person.gender_concept_id,
        person.race_concept_id,
        person.ethnicity_concept_id,
        person.care_site_id
    from indexed
    inner join observed using (person_id)
    inner join found using (person_id)
    left join {{ ref('stg_omop__person') }} as person using (person_id)
)

select
    person_id,
    index_date,
    role,
    reason,
    first_event_date - index_date as days_first_event,
    last_event_date - index_date as days_last_event,
    outcome_date - index_date as days_till_outcome,
    severe_date - index_date as days_till_severe,
    exclusion,
    age_at_index,
    gender_concept_id,
    race_concept_id,
    ethnicity_concept_id,
    care_site_id,
    genetic_score
from {{ risk_roles('persons', param('risk_look_back_days'), param('risk_buffer_days'), param('risk_follow_up_days'), param('risk_age_above'), param('risk_age_up_to')) }}
order by person_id
