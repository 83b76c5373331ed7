{# Roles of a risk question, for any relation of persons with the columns person_id, index_date, first_event_date,
   last_event_date, outcome_date, age_at_index, exclusion. The same rules as clinical_assets/risk/windows.py, in the same order:
   the first that applies is the reason. Every boundary as in the published design: a record on day -look_back is early enough, an
   outcome on day buffer is too early, one on day follow_up makes a case, a last record on day follow_up is too early. #}
{% macro risk_roles(persons, look_back, buffer, follow_up, age_above, age_up_to) -%}
    (
        select
            *,
            case
                when reason in ('outcome_in_follow_up') then 'case'
                when reason in ('outcome_after_follow_up', 'seen_after_follow_up') then 'control'
                else 'removed'
            end as role
        from (
            select
                *,
                case
                    when coalesce(first_event_date > index_date - {{ look_back }}, true) then 'look_back'
                    when outcome_date <= index_date + {{ buffer }} then 'buffer'
                    when coalesce(age_at_index <= {{ age_above }} or age_at_index > {{ age_up_to }}, true) then 'age'
                    when exclusion is not null then 'exclusion:' || exclusion
                    when outcome_date <= index_date + {{ follow_up }} then 'outcome_in_follow_up'
                    when outcome_date > index_date + {{ follow_up }} then 'outcome_after_follow_up'
                    when last_event_date > index_date + {{ follow_up }} then 'seen_after_follow_up'
                    else 'follow_up'
                end as reason
            from {{ persons }}
        )
    )
{%- endmacro %}

{# The fact tables that a risk question looks at, with the names of their columns. Visits are no facts of health. #}
{% macro risk_fact_tables() -%}
    {{ return([
        {'domain': 'condition', 'table': 'condition_occurrence', 'concept': 'condition_concept_id', 'date': 'condition_start_date', 'source': 'condition_source_value'},
        {'domain': 'drug', 'table': 'drug_exposure', 'concept': 'drug_concept_id', 'date': 'drug_exposure_start_date', 'source': 'drug_source_value'},
        {'domain': 'procedure', 'table': 'procedure_occurrence', 'concept': 'procedure_concept_id', 'date': 'procedure_date', 'source': 'procedure_source_value'},
        {'domain': 'measurement', 'table': 'measurement', 'concept': 'measurement_concept_id', 'date': 'measurement_date', 'source': 'measurement_source_value', 'value': 'value_as_number', 'answer': 'value_as_concept_id'},
        {'domain': 'observation', 'table': 'observation', 'concept': 'observation_concept_id', 'date': 'observation_date', 'source': 'observation_source_value', 'value': 'value_as_number', 'answer': 'value_as_concept_id'},
    ]) }}
{%- endmacro %}
