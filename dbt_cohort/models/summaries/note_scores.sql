-- Every metric of every summary of the current version of a note, beside the same of the beginning of its source (variant lead) and
-- of the whole source (copy). One row a summarizer, variant, note and metric.
select
    score.summarizer,
    score.variant,
    score.note_id,
    score.person_id,
    note_index.note_date,
    score.metric,
    score.numerator,
    score.denominator,
    score.value,
    score.flagged,
    score.encoder,
    score.source_sha256,
    score.text_sha256,
    score.first_sha256,
    score.scorer_sha,
    score.batch,
    score.made_at,
    score.run_id
from {{ source('lake', 'summaries_scores') }} as score
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = score.note_id
    and note_index.batch = score.batch
    and (score.n_notes > 1 or note_index.text_sha256 = score.source_sha256)
