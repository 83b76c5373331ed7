-- What each language model took for its answers: tokens and time. These are of a note and stand on each of its fields, so one
-- is taken a note. One row a labeller.
with notes as (
    select
        labeller,
        note_id,
        bool_or(status in ('parse_error', 'truncated', 'too_long', 'unavailable')) as failed,
        max(n_input_tokens) as n_input_tokens,
        max(n_output_tokens) as n_output_tokens,
        max(seconds) as seconds
    from {{ ref('model_labels') }}
    group by labeller, note_id
)

select
    labeller,
    count(*) as n_notes,
    cast(count_if(failed) as bigint) as n_failed,
    count(seconds) as n_timed,
    cast(sum(n_input_tokens) as bigint) as n_input_tokens,
    cast(sum(n_output_tokens) as bigint) as n_output_tokens,
    sum(cast(seconds as double)) as seconds,
    avg(cast(seconds as double)) * 1000 as seconds_per_1000_notes,
    -- notes without a count of what was read are left out; what a scorer writes may not be counted at all
    avg(n_input_tokens + coalesce(n_output_tokens, 0)) as tokens_per_note
from notes
group by labeller
