{{ config(alias='concepts') }}

-- What the notes speak of: counts for each thing. One that no concept was found for has no name here; its words stay in the lake.
select
    entity_key,
    entity_type,
    any_value(concept_id) as concept_id,
    any_value(concept_name) as concept_name,
    any_value(vocabulary_id) as vocabulary_id,
    any_value(concept_code) as concept_code,
    count(*) as n_mentions,
    count(distinct note_id) as n_notes,
    count(distinct person_id) as n_persons,
    count_if(assertion = 'affirmed') as n_affirmed,
    count_if(assertion = 'negated') as n_negated,
    count_if(assertion = 'possible') as n_possible,
    count_if(assertion = 'historical') as n_historical,
    count_if(assertion = 'hypothetical') as n_hypothetical,
    count_if(assertion = 'family') as n_family,
    count(distinct person_id) filter (where assertion in ('affirmed', 'historical')) as n_persons_having,
    min(note_date) as first_note_date,
    max(note_date) as last_note_date,
    min(link_score) as least_link_score
from {{ ref('note_mentions') }}
group by entity_key, entity_type
