-- Observation periods of known persons, cut at the day of data extraction: a shifted or open end must not count as
-- follow-up that nobody could observe. One row a person and period.
with extraction as (
    select coalesce(
        try_cast('{{ param("data_until") }}' as date),
        (select max(source_release_date) from {{ ref('stg_omop__cdm_source') }}),
        date '9999-12-31'
    ) as last_date
)

select
    period.observation_period_id,
    period.person_id,
    period.observation_period_start_date as op_start,
    least(period.observation_period_end_date, extraction.last_date) as op_end,
    period.observation_period_end_date > extraction.last_date as is_cut
from {{ ref('stg_omop__observation_period') }} as period
inner join {{ ref('stg_omop__person') }} as person using (person_id)
cross join extraction
where period.observation_period_start_date <= least(period.observation_period_end_date, extraction.last_date)
