{{ config(alias='imatinib_overlaps') }}
-- Persons per indication and exact set of sources that name imatinib. One row an indication and set of sources.
with sets as (
    select person_id, indication, list(source order by source) filter (found) as sources
    from {{ ref('imatinib_sources') }}
    group by all
)

select indication, sources, count(*) as n
from sets
group by all
