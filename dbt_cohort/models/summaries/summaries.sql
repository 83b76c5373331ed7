-- What each summary of the current version of a note is worth, in numbers: the text itself stays in the lake. One row a
-- summarizer and note (of a person's window: its latest note).
{% for stage, table in [
    (1, 'summaries_verbose_extractive'),
    (2, 'summaries_compressed_extractive'),
    ("case when starts_with(summary.summarizer, 'verbose_') then 1 else 2 end", 'summaries_written'),
] %}
select
    summary.summarizer,
    {{ stage }} as stage,
    summary.note_id,
    summary.person_id,
    note_index.note_date,
    summary.unit,
    summary.n_notes,
    summary.status,
    summary.n_tokens_source,
    summary.n_tokens_in,
    summary.n_tokens_out,
    summary.target_ratio,
    case when summary.text_sha256 is not null then summary.n_tokens_out / nullif(summary.n_tokens_in, 0) end as ratio,
    case when summary.text_sha256 is not null then summary.n_tokens_out / nullif(summary.n_tokens_source, 0) end as ratio_to_source,
    summary.n_entities,
    summary.n_entities_kept,
    summary.n_entities_kept / nullif(summary.n_entities, 0) as entity_retention,
    summary.n_numeric,
    summary.n_numeric_kept,
    summary.n_numeric_kept / nullif(summary.n_numeric, 0) as numeric_retention,
    summary.n_spans,
    summary.similarity,
    summary.coverage,
    summary.bound,
    summary.seconds,
    summary.source_sha256,
    summary.text_sha256,
    summary.settings_sha,
    summary.batch,
    summary.made_at,
    summary.run_id
from {{ source('lake', table) }} as summary
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = summary.note_id
    and note_index.batch = summary.batch
    -- of a window the digest is that of several texts; its rows are as fresh as their last run
    and (summary.n_notes > 1 or note_index.text_sha256 = summary.source_sha256)
{% if not loop.last %}
union all
{% endif %}
{% endfor %}
