{{ config(alias='attrition') }}
-- How many persons each rule of the cohort leaves, for publication. One row a rule, in order.
select
    rule_order,
    rule,
    description,
    {{ shown('n_before', "concat_ws('|', 'attrition', rule_order, 'n_before')") }} as n_before,
    {{ shown('n_dropped', "concat_ws('|', 'attrition', rule_order, 'n_dropped')") }} as n_dropped,
    {{ shown('n_after', "concat_ws('|', 'attrition', rule_order, 'n_after')") }} as n_after
from {{ ref('attrition') }}
