{{ config(alias='milestones') }}
-- Persons per molecular milestone and response. One row a population, milestone and response.
select known.population, known.month, known.response, count(found.person_id) as n
from (
    select * from (values ('cohort'), ('imatinib_starters')) as populations(population)
    cross join (values (3), (6), (12)) as months(month)
    cross join (values ('optimal'), ('warning'), ('failure'), ('not_measured'), ('not_followed')) as responses(response)
) as known
left join {{ ref('molecular_milestones') }} as found using (population, month, response)
group by all
