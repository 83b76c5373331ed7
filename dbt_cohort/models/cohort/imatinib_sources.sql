-- Structured against text: where imatinib is on record for a person, in exposure records or, per labeller, in any note; and
-- what for. A surplus of notes over exposures may be another indication, a plan, a family member, or a missing record.
-- One row a person with imatinib in any source, and source.
with structured as (
    select person_id, min(start_date) as first_date from {{ ref('tki_exposures') }} where drug = 'imatinib' group by person_id
),

said as (
    select
        labeller,
        person_id,
        bool_or(value) as found,
        min(note_date) filter (value) as first_date
    from {{ ref('current_labels') }}
    where field = 'imatinib_mentioned'
    group by labeller, person_id
),

persons as (
    select person_id from structured
    union
    select person_id from said where found
),

indications as (
    select person_id, min_by(indication, priority) as indication, string_agg(distinct indication, ', ' order by indication) as indications
    from (
        select person_id, 'chronic myeloid leukemia' as indication, 1 as priority from {{ ref('cml_index') }}
        union all
        select person_id, 'acute lymphoid leukemia', 2 from {{ events_of('acute_lymphoid_leukemia') }}
        union all
        select person_id, 'gastrointestinal stromal tumor', 3 from {{ events_of('gist') }}
        union all
        select person_id, 'hypereosinophilic syndrome', 4 from {{ events_of('hypereosinophilic_syndrome') }}
        union all
        select person_id, 'dermatofibrosarcoma', 5 from {{ events_of('dermatofibrosarcoma') }}
    )
    group by person_id
),

sources as (
    select 'drug_exposure' as source
    union
    select distinct labeller from said
)

select
    persons.person_id,
    coalesce(indications.indication, 'none recorded') as indication,
    indications.indications,
    sources.source,
    -- null: no note of the person could be read by this labeller
    case when sources.source = 'drug_exposure' then structured.person_id is not null else said.found end as found,
    case when sources.source = 'drug_exposure' then structured.first_date else said.first_date end as first_date
from persons
cross join sources
left join structured using (person_id)
left join said on said.person_id = persons.person_id and said.labeller = sources.source
left join indications on indications.person_id = persons.person_id
