{{ config(alias='field_counts') }}
-- Tables 2, 4, 6 and 8: true, false and no answer per labeller and field, on the latest usable note of each person; and
-- table 10: the percentage of answers that is true, to be read across labellers. One row a population, labeller and field.
with counted as (
    select *, {{ shown('n', "concat_ws('|', 'fields', population, labeller, field, answer)") }} as shown_n
    from {{ ref('counts_fields') }}
),

wide as (
    select
        population,
        labeller,
        field,
        max(shown_n) filter (answer = 'true') as n_true,
        max(shown_n) filter (answer = 'false') as n_false,
        max(shown_n) filter (answer = 'no answer') as n_without_answer
    from counted
    group by all
)

select
    population,
    labeller,
    field,
    n_true,
    n_false,
    n_without_answer,
    round(100.0 * n_true / nullif(n_true + n_false, 0), 1) as percent_true,
    n_true is null or n_false is null or n_without_answer is null as is_withheld
from wide
