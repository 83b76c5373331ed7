{{ config(alias='treatment_lines') }}

-- The first three drugs, in order of their start, of each person with a condition whose drugs the study names
-- (applications.treatments). Drugs that start together stand in one line, joined by +. One row a treatment and person.
{% set rows = param('treatments') %}
with asked (treatment, role, concept_id) as (
    {% for treatment, role, concept in rows %}
    select '{{ treatment }}', '{{ role }}', cast({{ concept }} as bigint)
    {{ 'union all' if not loop.last }}
    {% else %}
    select null::varchar, null::varchar, null::bigint where false
    {% endfor %}
),

wanted as (
    select distinct treatment, role, concept_id from asked
    union
    select asked.treatment, asked.role, ancestor.descendant_concept_id
    from asked
    inner join {{ ref('stg_omop__concept_ancestor') }} as ancestor on ancestor.ancestor_concept_id = asked.concept_id
),

diagnosed as (
    select wanted.treatment, listed.person_id, min(listed.structured_first_date) as diagnosed_on
    from {{ ref('app_patient_lists') }} as listed
    inner join wanted on wanted.role = 'condition' and wanted.concept_id = listed.concept_id
    where listed.domain = 'condition' and listed.structured_first_date is not null
    group by all
),

started as (
    select diagnosed.treatment, diagnosed.person_id, listed.structured_first_date as started_on, string_agg(listed.name, ' + ' order by listed.name) as drugs
    from diagnosed
    inner join {{ ref('app_patient_lists') }} as listed
        on listed.person_id = diagnosed.person_id and listed.domain = 'drug' and listed.structured_first_date >= diagnosed.diagnosed_on
    inner join wanted on wanted.treatment = diagnosed.treatment and wanted.role = 'drug' and wanted.concept_id = listed.concept_id
    group by all
),

numbered as (select *, row_number() over (partition by treatment, person_id order by started_on) as line from started)

select
    diagnosed.treatment,
    diagnosed.person_id,
    diagnosed.diagnosed_on,
    min(numbered.started_on) as started_on,
    coalesce(string_agg(numbered.drugs, ' > ' order by numbered.line) filter (numbered.line <= 3), 'none') as sequence,
    count(numbered.line) as n_lines,
    {{ param('small_cell_threshold') }} as small_below
from diagnosed
left join numbered using (treatment, person_id)
group by diagnosed.treatment, diagnosed.person_id, diagnosed.diagnosed_on
