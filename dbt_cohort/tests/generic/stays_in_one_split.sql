{# No person, or no text, stands in two of train, validation and test: what is learned from one would be known in the other. #}
{% test stays_in_one_split(model, column) %}
select {{ column }}, count(distinct split) as n_splits
from {{ model }}
where split in ('train', 'validation', 'test')
group by {{ column }}
having count(distinct split) > 1
{% endtest %}
