-- What of each kind of fact a reader would look for is in the source, and how much of it in the summary. One row a summarizer, note
-- and item; items that the source says nothing of are left out.
select
    score.summarizer,
    score.note_id,
    score.person_id,
    item.item,
    score.denominator::integer as n_in_source,
    score.numerator::integer as n_in_summary,
    score.numerator = score.denominator as is_complete,
    score.batch
from {{ ref('note_scores') }} as score
inner join
    (
        values
        (1, 'diagnoses', 'disease'),
        (2, 'medications', 'drug'),
        (3, 'doses', 'dose'),
        (4, 'vitals', 'vital'),
        (5, 'labs', 'lab'),
        (6, 'procedures', 'procedure'),
        (7, 'follow_up', 'follow_up'),
        (8, 'timeline', 'date')
    ) as item (item_order, item, kind)
    on score.metric = 'retention_' || item.kind || '_vs_source'
where score.variant = 'summary' and score.denominator > 0
order by score.summarizer, score.note_id, item.item_order
