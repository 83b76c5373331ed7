{{ config(alias='monthly_counts') }}

-- Persons per month with a first record of a drug or condition (structured), or with an affirmed mention of it (notes), zero where
-- there is none, and persons of whom it could be: under observation, or with a note that was read. Exact counts. One row a source,
-- entity and month.
with bounds as (
    select date_trunc('month', max(observation_period_end_date)) as last_month from {{ ref('stg_omop__observation_period') }}
),

months as (
    select cast(unnest(generate_series(
        last_month - to_months(cast({{ param('trend_months') }} + {{ param('trend_baseline_months') }} - 1 as integer)), last_month, interval 1 month
    )) as date) as month
    from bounds
    where last_month is not null
),

observed as (
    select 'structured' as source, months.month, count(distinct period.person_id) as n_observed
    from months
    left join {{ ref('stg_omop__observation_period') }} as period
        on period.observation_period_start_date < months.month + interval 1 month and period.observation_period_end_date >= months.month
    group by all
    union all
    -- Which notes are read is a choice of the study (the latest of each person, say): more notes read are not more cases.
    select 'notes', months.month, count(distinct person_id)
    from months
    left join {{ ref('note_extractions') }} as extraction
        on date_trunc('month', extraction.note_date) = months.month and extraction.status = 'extracted'
    group by all
),

events as (
    select 'structured' as source, domain, entity_key, name, person_id, date_trunc('month', structured_first_date) as month
    from {{ ref('app_patient_lists') }}
    where structured_first_date is not null
    union all
    select distinct
        'notes',
        if(found.entity_type = 'chemical', 'drug', 'condition'),
        found.entity_key,
        found.concept_name,
        found.person_id,
        date_trunc('month', found.note_date)
    from {{ source('lake', 'entities_mentions') }} as found
    inner join {{ ref('note_index') }} as note
        on note.note_id = found.note_id and note.batch = found.batch and note.text_sha256 = found.note_sha256
    where found.assertion = 'affirmed'
),

counted as (
    select source, domain, entity_key, month, count(distinct person_id) as n from events group by all
),

series as (
    select source, domain, entity_key, any_value(name) as name
    from events
    inner join months on months.month = events.month
    group by all
    having count(*) >= 12
)

select
    series.source,
    series.domain,
    series.entity_key,
    series.name,
    observed.month,
    coalesce(counted.n, 0) as n,
    observed.n_observed,
    cast({{ param('trend_baseline_months') }} as integer) as baseline_months,
    cast({{ param('trend_minimum_expected') }} as double) as minimum_expected,
    cast({{ param('trend_false_discovery_rate') }} as double) as false_discovery_rate
from series
inner join observed using (source)
left join counted using (source, domain, entity_key, month)
