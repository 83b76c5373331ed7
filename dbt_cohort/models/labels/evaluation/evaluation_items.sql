-- What there is to judge: every gold answer beside what a labeller says, a row too where it says nothing. Notes outside the
-- scope of labelling count only for labellers that answered there, i.e. rules. One row a labeller, note and field with gold.
with gold as (
    select
        manual.note_id,
        manual.person_id,
        manual.field,
        manual.value as gold,
        splits.split,
        scope.note_id is not null as in_scope
    from {{ ref('manual_labels') }} as manual
    inner join {{ ref('annotation_splits') }} as splits using (note_id)
    left join {{ ref('labelling_scope') }} as scope on scope.note_id = manual.note_id
),

answers as (
    select labeller, note_id, field, value, probability, status from {{ ref('current_labels') }} where labeller <> 'manual'
),

labellers as (
    select
        answers.labeller,
        coalesce(bool_or(answers.value is not null and not gold.in_scope), false) as answers_anywhere
    from answers
    left join gold using (note_id, field)
    group by answers.labeller
),

-- What a labeller that never reads would say: the commoner answer of the notes for training, of those in scope where there are
-- any, as the others differ in prevalence. A tie is false.
commoner as (
    select
        field,
        case
            when count(gold) filter (in_scope) > 0 then count_if(gold and in_scope) * 2 > count(gold) filter (in_scope)
            when count(gold) > 0 then count_if(gold) * 2 > count(gold)
        end as value
    from gold
    where split = 'train'
    group by field
)

select
    labellers.labeller,
    gold.note_id,
    gold.person_id,
    gold.field,
    gold.split,
    gold.in_scope,
    gold.gold,
    answers.value,
    answers.probability,
    coalesce(answers.status, 'no_answer') as status
from gold
inner join labellers on gold.in_scope or labellers.answers_anywhere
left join answers
    on answers.labeller = labellers.labeller
    and answers.note_id = gold.note_id
    and answers.field = gold.field
union all
select
    'baseline_majority',
    gold.note_id,
    gold.person_id,
    gold.field,
    gold.split,
    gold.in_scope,
    gold.gold,
    commoner.value,
    null,
    case when commoner.value is null then 'no_answer' else 'labelled' end
from gold
left join commoner using (field)
