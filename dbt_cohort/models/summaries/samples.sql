-- Sample by sample: each summary in numbers, beside the beginning of its source at the same length. One row a summarizer and note.
with wide as (
    select
        summarizer,
        note_id,
        any_value(person_id) as person_id,
        any_value(note_date) as note_date,
        {{ of_metric('compression_tokens_vs_source', 'denominator') }}::integer as n_tokens_source,
        {{ of_metric('compression_tokens_vs_source', 'numerator') }}::integer as n_tokens_summary,
        {{ of_metric('compression_tokens_vs_source') }} as ratio_to_source,
        {{ of_metric('compression_tokens_vs_first_stage') }} as ratio_to_first_stage,
        {{ of_metric('retention_entities_vs_source') }} as entity_retention,
        {{ of_metric('retention_numeric_vs_source') }} as numeric_retention,
        {{ of_metric('retention_entities_vs_source', variant='lead') }} as lead_entity_retention,
        {{ of_metric('retention_numeric_vs_source', variant='lead') }} as lead_numeric_retention,
        {{ of_metric('hallucinated_entities', 'numerator') }}::integer as n_hallucinated_entities,
        {{ of_metric('hallucinated_numbers', 'numerator') }}::integer as n_hallucinated_numbers,
        {{ of_metric('negation_flips', 'numerator') }}::integer as n_negation_flips,
        {{ of_metric('repetition') }} as repetition,
        {{ of_metric('bertscore_f1_vs_source') }} as bertscore_f1,
        coalesce(bool_or(flagged) filter (where variant = 'summary'), false) as is_flagged,
        any_value(batch) as batch
    from {{ ref('note_scores') }}
    where variant in ('summary', 'lead')
    group by summarizer, note_id
)

select
    *,
    -- what was invented or turned round counts before what was lost; ties by the ids, so that the order is the same every time
    row_number() over (
        partition by summarizer
        order by
            coalesce(n_hallucinated_numbers, 0) + coalesce(n_hallucinated_entities, 0) + coalesce(n_negation_flips, 0) desc,
            coalesce(entity_retention, 1) + coalesce(numeric_retention, 1), note_id
    ) as rank_from_worst,
    row_number() over (
        partition by summarizer
        order by
            coalesce(n_hallucinated_numbers, 0) + coalesce(n_hallucinated_entities, 0) + coalesce(n_negation_flips, 0),
            coalesce(entity_retention, 1) + coalesce(numeric_retention, 1) desc, ratio_to_source, note_id
    ) as rank_from_best
from wide
