{# A count as it may be shown: null where it is withheld. `cell` is an SQL expression for the cell's key. #}
{% macro shown(n, cell) -%}
    case when ({{ cell }}) not in (select cell from {{ ref('counts_withheld') }}) then {{ n }} end
{%- endmacro %}
