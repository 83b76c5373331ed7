{# Each declared sum holds for the exact counts: else suppression would protect the wrong thing. #}
{% test every_sum_adds_up(model) %}
select sums.total, sums.why, any_value(whole.n) as n_total, sum(part.n) as n_parts
from {{ model }} as sums
left join {{ ref('counts_cells') }} as whole on whole.cell = sums.total
left join {{ ref('counts_cells') }} as part on part.cell = sums.part
group by sums.total, sums.why
having n_total is distinct from n_parts
{% endtest %}
