-- Marrow and stem cell transplants by procedure. A status code ("transplant present") tells that there was one, not when:
-- it stands in, at its first date, only for persons without any procedure. One row a person and date.
with procedures as (
    select distinct person_id, start_date as transplant_date, 'procedure' as found_by from {{ events_of('transplant') }}
)

select * from procedures
union all
select person_id, min(start_date), 'status code'
from {{ events_of('transplant_status') }}
where person_id not in (select person_id from procedures)
group by person_id
