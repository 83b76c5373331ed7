{{ config(alias='ages') }}
-- Age at index by date of birth: mean, median and standard deviation, with ages from top_age on pooled to it. Minimum and
-- maximum are one person each and never shown; nothing is shown of a population whose size is withheld. One row a population.
with persons as (
    select population.population, least(index_event.age_at_index, {{ param('top_age') }}) as age
    from {{ ref('populations') }} as population
    inner join {{ ref('cml_index') }} as index_event using (person_id)
),

summarised as (
    select population, count(*) as n, round(avg(age), 1) as mean_age, round(median(age), 1) as median_age, round(stddev_samp(age), 1) as sd_age
    from persons
    group by population
),

guarded as (
    select *, {{ shown('n', "concat_ws('|', 'demographics', population, 'all', 'all')") }} as shown_n from summarised
)

select
    population,
    shown_n as n,
    case when shown_n >= {{ param('small_cell_threshold') }} then mean_age end as mean_age,
    case when shown_n >= {{ param('small_cell_threshold') }} then median_age end as median_age,
    case when shown_n >= {{ param('small_cell_threshold') }} then sd_age end as sd_age,
    shown_n is null as is_withheld
from guarded
