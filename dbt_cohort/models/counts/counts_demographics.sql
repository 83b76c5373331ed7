{{ config(alias='demographics') }}
-- Persons per population and level of each characteristic, zero where there is none. One row a population, characteristic
-- and level; characteristic 'all' holds the totals.
with levels as (
    select * from (values
        ('all', 'all', 0),
        ('sex', 'female', 1), ('sex', 'male', 2), ('sex', 'unknown', 3),
        ('age at index', 'under 18', 1), ('age at index', '18 to 29', 2), ('age at index', '30 to 39', 3), ('age at index', '40 to 49', 4),
        ('age at index', '50 to 59', 5), ('age at index', '60 to 69', 6), ('age at index', '70 to 79', 7),
        ('age at index', '80 to {{ param("top_age") - 1 }}', 8), ('age at index', '{{ param("top_age") }} and over', 9),
        ('age at index', 'unknown', 10),
        ('race', 'white', 1), ('race', 'black', 2), ('race', 'asian', 3), ('race', 'american indian or alaska native', 4),
        ('race', 'native hawaiian or other pacific islander', 5), ('race', 'other', 6), ('race', 'unknown', 7),
        ('ethnicity', 'hispanic or latino', 1), ('ethnicity', 'not hispanic or latino', 2), ('ethnicity', 'unknown', 3)
    ) as level(characteristic, level, level_order)
),

persons as (
    select
        population.population,
        index_event.sex,
        index_event.race,
        index_event.ethnicity,
        case
            when age_at_index is null then 'unknown'
            when age_at_index < 18 then 'under 18'
            when age_at_index < 30 then '18 to 29'
            when age_at_index >= {{ param('top_age') }} then '{{ param("top_age") }} and over'
            when age_at_index >= 80 then '80 to {{ param("top_age") - 1 }}'
            else (age_at_index // 10 * 10) || ' to ' || (age_at_index // 10 * 10 + 9)
        end as age_group
    from {{ ref('populations') }} as population
    inner join {{ ref('cml_index') }} as index_event using (person_id)
),

counted as (
    select population, 'all' as characteristic, 'all' as level, count(*) as n from persons group by all
    union all
    select population, 'sex', sex, count(*) from persons group by all
    union all
    select population, 'age at index', age_group, count(*) from persons group by all
    union all
    select population, 'race', race, count(*) from persons group by all
    union all
    select population, 'ethnicity', ethnicity, count(*) from persons group by all
),

known_populations as (
    select * from (values ('cml'), ('cohort'), ('seed_compatible'), ('imatinib in drug_exposure')) as known(population)
    union
    select population from {{ ref('populations') }}
)

select known_populations.population, levels.characteristic, levels.level, levels.level_order, coalesce(counted.n, 0) as n
from known_populations
cross join levels
left join counted using (population, characteristic, level)
