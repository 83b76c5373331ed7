{{ config(alias='biomarker_comentions') }}

-- Which drugs and diseases share a sentence with a biomarker, and what is said of response there; both affirmed. A count of 1 to 10
-- persons is withheld. One row a biomarker, entity and kind of response.
{% set k = param('small_cell_threshold') %}
with counted as (
    select
        marker.biomarker,
        if(found.entity_type = 'chemical', 'drug', 'condition') as domain,
        found.entity_key,
        any_value(found.concept_name) as name,
        coalesce(marker.response, 'not_said') as response,
        count(distinct marker.person_id) as n_persons,
        count(distinct (marker.note_id, marker.sentence_start)) as n_sentences,
        min(marker.note_date) as first_seen,
        max(marker.note_date) as last_seen
    from {{ ref('app_biomarker_mentions') }} as marker
    inner join {{ source('lake', 'entities_mentions') }} as found
        on found.note_id = marker.note_id
        and found.note_sha256 = marker.note_sha256
        and found."start" >= marker.sentence_start
        and found."end" <= marker.sentence_end
        and (found."end" <= marker."start" or found."start" >= marker."end")
    where marker.assertion in ('affirmed', 'historical') and found.assertion in ('affirmed', 'historical')
    group by all
)

select
    biomarker,
    domain,
    entity_key,
    name,
    response,
    case when n_persons >= {{ k }} then n_persons end as n_persons,
    case when n_persons >= {{ k }} then n_sentences end as n_sentences,
    case when n_persons >= {{ k }} then cast(date_trunc('month', first_seen) as date) end as first_seen,
    case when n_persons >= {{ k }} then cast(date_trunc('month', last_seen) as date) end as last_seen,
    n_persons < {{ k }} as is_withheld
from counted
