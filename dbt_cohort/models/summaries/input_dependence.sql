-- Whether the summaries of a summarizer fit their own sources better than those of other persons. One row a summarizer.
select
    summarizer,
    fit,
    own,
    shuffled,
    difference,
    difference_low,
    difference_high,
    difference_low > 0 as depends_on_input,
    n_summaries,
    n_rows,
    n_compared,
    made_at,
    run_id
from {{ source('lake', 'summaries_controls') }}
