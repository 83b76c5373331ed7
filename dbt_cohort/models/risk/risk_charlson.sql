{{ config(alias='charlson') }}

-- Charlson's conditions before the index, from ICD-9-CM and ICD-10 codes of the source (Quan et al. 2005), weights of Charlson et al.
-- 1987. One row a person with an index event and condition; of a disease with a milder and a severer form both may stand.
with coded as (
    select distinct
        fact.person_id,
        replace(upper(fact.condition_source_value), '.', '') as code,
        regexp_matches(fact.condition_source_value, '^[0-9]{3}([.]?[0-9]{1,2})?$') as is_icd9,
        regexp_matches(upper(fact.condition_source_value), '^[A-Z][0-9][0-9A-Z]([.]?[0-9A-Z]{1,4})?$') as is_icd10
    from {{ ref('stg_omop__condition_occurrence') }} as fact
    inner join {{ ref('risk_windows') }} as person on person.person_id = fact.person_id and fact.condition_start_date < person.index_date
)

select coded.person_id, listed.category, max(listed.weight) as weight
from coded
inner join {{ ref('charlson_codes') }} as listed
    on (coded.is_icd9 and listed.system = 'ICD9' or coded.is_icd10 and listed.system = 'ICD10')
    and starts_with(coded.code, listed.prefix)
group by coded.person_id, listed.category
