{{ config(alias='trial_problems') }}

-- What is wrong with trials: files that cannot be read, concepts and units that are not known, fields the study does not ask. A
-- criterion with a problem is unknown for everybody. One row a trial and problem.
with asked as (
    select distinct trial, criterion, fact, unit, note_field, unnest(concepts) as concept_id
    from {{ source('trials', 'trial_criteria') }}
    where problem is null
),

known_units as (
    select distinct lower(concept_code) as unit from {{ ref('stg_omop__concept') }} where vocabulary_id = 'UCUM' or domain_id = 'Unit'
    union
    select distinct lower(unit_source_value) from {{ ref('stg_omop__measurement') }}
)

select trial, criterion, problem from {{ source('trials', 'trial_criteria') }} where problem is not null

union all

select
    trial,
    criterion,
    'concept ' || concept_id || ' is not in the vocabulary that landed; look it up in omop.concept'
from asked
where (select count(*) from {{ ref('stg_omop__concept') }}) > 0
    and concept_id not in (select concept_id from {{ ref('stg_omop__concept') }})

union all

select distinct
    trial,
    criterion,
    'unit ''' || unit || ''' is neither a unit of the vocabulary nor one of omop.measurement; write it as the source does'
from asked
where fact = 'lab' and lower(unit) not in (select unit from known_units where unit is not null)

union all

select
    trial,
    criterion,
    'field ''' || note_field || ''' is none of the study''s; see labels.regex_labels'
from {{ source('trials', 'trial_criteria') }}
where note_field is not null and note_field not in (select field from {{ source('lake', 'labels_regex') }})
