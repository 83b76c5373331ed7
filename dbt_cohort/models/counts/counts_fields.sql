{{ config(alias='fields') }}
-- Answers per labeller and field on the latest usable note of each person; without an answer is kept apart from false.
-- One row a population (everyone with an index, the cohort), labeller, field and answer.
with noted as (
    select population.population, population.person_id, note.note_id
    from {{ ref('populations') }} as population
    inner join {{ ref('latest_progress_notes') }} as note using (person_id)
    where population.population in ('cml', 'cohort') and note.note_id is not null
),

asked as (select distinct labeller, field from {{ ref('current_labels') }}),

answered as (
    select
        noted.population,
        asked.labeller,
        asked.field,
        case when label.value then 'true' when not label.value then 'false' else 'no answer' end as answer
    from noted
    cross join asked
    left join {{ ref('current_labels') }} as label
        on label.note_id = noted.note_id and label.labeller = asked.labeller and label.field = asked.field
)

select population, labeller, field, answer, count(answered.answer) as n
from (select * from (values ('cml'), ('cohort')) as known(population) cross join asked
    cross join (values ('true'), ('false'), ('no answer')) as possible(answer))
left join answered using (population, labeller, field, answer)
group by all
