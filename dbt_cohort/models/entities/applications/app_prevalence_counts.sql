{{ config(alias='prevalence_counts') }}

-- Persons under observation in each of the last calendar years, and of these with a record of a condition by the end of it: in all, by
-- sex, by age. Exact counts; applications.prevalence is the table to show. One row a condition, year, stratum and level.
{% set top = param('top_age') %}
with last_year as (select year(max(observation_period_end_date)) as last_year from {{ ref('stg_omop__observation_period') }}),

years as (
    select unnest(range(last_year - {{ param('prevalence_years') }} + 1, last_year + 1)) as year from last_year where last_year is not null
),

conditions as (
    select concept_id, any_value(name) as name, count(*) as n
    from {{ ref('app_patient_lists') }}
    where domain = 'condition' and structured_first_date is not null and concept_id is not null
    group by concept_id
    order by n desc, concept_id
    limit {{ param('prevalence_conditions') }}
),

observed as (
    select distinct
        years.year,
        period.person_id,
        case person.gender_concept_id when 8507 then 'male' when 8532 then 'female' else 'unknown' end as sex,
        case
            when years.year - person.year_of_birth is null then 'unknown'
            when years.year - person.year_of_birth >= {{ top }} then '{{ top }} and over'
            when years.year - person.year_of_birth < 18 then 'under 18'
            when years.year - person.year_of_birth < 30 then '18 to 29'
            when years.year - person.year_of_birth >= 80 then '80 to {{ top - 1 }}'
            else ((years.year - person.year_of_birth) // 10 * 10) || ' to ' || ((years.year - person.year_of_birth) // 10 * 10 + 9)
        end as age_band
    from years
    inner join {{ ref('stg_omop__observation_period') }} as period
        on year(period.observation_period_start_date) <= years.year and year(period.observation_period_end_date) >= years.year
    inner join {{ ref('stg_omop__person') }} as person using (person_id)
),

people as (
    select year, coalesce(sex, age_band, 'all') as level, case when sex is not null then 'sex' when age_band is not null then 'age' else 'all' end as stratum, count(*) as n
    from observed
    group by grouping sets ((year), (year, sex), (year, age_band))
),

ill as (
    select
        conditions.concept_id,
        observed.year,
        coalesce(sex, age_band, 'all') as level,
        case when sex is not null then 'sex' when age_band is not null then 'age' else 'all' end as stratum,
        count(*) as n
    from observed
    inner join {{ ref('app_patient_lists') }} as listed
        on listed.person_id = observed.person_id and listed.domain = 'condition' and year(listed.structured_first_date) <= observed.year
    inner join conditions using (concept_id)
    group by grouping sets ((conditions.concept_id, observed.year), (conditions.concept_id, observed.year, sex), (conditions.concept_id, observed.year, age_band))
)

select
    conditions.concept_id as condition_concept_id,
    conditions.name as condition_name,
    people.year,
    people.stratum,
    people.level,
    people.n as n_persons,
    coalesce(ill.n, 0) as n_with_condition,
    {{ param('small_cell_threshold') }} as small_below
from conditions
cross join people
left join ill on ill.concept_id = conditions.concept_id and ill.year = people.year and ill.stratum = people.stratum and ill.level = people.level
