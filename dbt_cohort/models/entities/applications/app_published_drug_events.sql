{{ config(alias='published_drug_events') }}

-- The drug-event pairs as they may be shown: where any cell of the table is small, all that was worked out from it is withheld.
-- Persons of a drug or event that are few never show: then a or b, or a or c, is small in each of their rows.
{% set k = param('small_cell_threshold') %}
{% set shown = ['a', 'b', 'c', 'd', 'expected', 'prr', 'prr_low', 'prr_high', 'ror', 'ror_low', 'ror_high', 'ic', 'ic_low', 'ic_high', 'chi_square', 'q_value', 'is_flagged'] %}
with pairs as (
    select
        *,
        a between 1 and {{ k - 1 }} or b between 1 and {{ k - 1 }} or c between 1 and {{ k - 1 }} or d between 1 and {{ k - 1 }} as is_withheld
    from {{ ref('app_drug_event_pairs') }}
)

select
    source,
    drug_key,
    event_key,
    drug_name,
    event_name,
    {% for name in shown %}
    case when not is_withheld then {{ name }} end as {{ 'n_' if name in 'abcd' }}{{ name }},
    {% endfor %}
    is_withheld
from pairs
