{# The semantics of cohort definitions (as in OHDSI circe), for any relation of events with the columns
   person_id, event_id, start_date, end_date, and observation periods with person_id, op_start, op_end. #}

{# The concept ids of a set: declared, expanded, exclusions taken out. #}
{% macro concept_set(name) -%}
    (select concept_id from {{ ref('concept_set_members') }} where set_name = '{{ name }}')
{%- endmacro %}

{# The facts of a concept set. A test holds every declared set against these calls: what is declared is used. #}
{% macro events_of(name) -%}
    (select * from {{ ref('events') }} where set_name = '{{ name }}')
{%- endmacro %}

{# Primary events: those inside an observation period that reaches prior_days back and post_days ahead of them. Every
   boundary is inclusive. limit 'first' keeps a person's earliest qualifying event, ties broken by event_id.
   Without periods every event qualifies, as in definitions that do not ask for observation. #}
{% macro primary_events(events, periods, prior_days=0, post_days=0, limit='first') -%}
    (
        select *
        from (
            select
                found.*,
                {%- if periods is not none %}
                period.op_start,
                period.op_end,
                {%- endif %}
                row_number() over (
                    partition by found.person_id
                    order by found.start_date, found.event_id{{ ', period.op_start' if periods is not none }}
                ) as ordinal
            from {{ events }} as found
            {%- if periods is not none %}
            inner join {{ periods }} as period
                on period.person_id = found.person_id
                and found.start_date between period.op_start and period.op_end
                and found.start_date - period.op_start >= {{ prior_days }}
                and period.op_end - found.start_date >= {{ post_days }}
            {%- endif %}
        )
        {% if limit == 'first' %}where ordinal = 1{% endif %}
    )
{%- endmacro %}

{# How many of `events` each index event has in [start_date + from_days, start_date + to_days] inside its observation
   period; none leaves a side open, where the observation period bounds it. min_end_days asks that the counted event
   lasts until that many days after the index event's end. One row an index event. #}
{% macro count_in_window(index_events, events, from_days=none, to_days=none, min_end_days=none) -%}
    (
        select anchor.person_id, anchor.event_id, count(found.person_id) as n
        from {{ index_events }} as anchor
        left join {{ events }} as found
            on found.person_id = anchor.person_id
            and found.start_date between anchor.op_start and anchor.op_end
            {% if from_days is not none %}and found.start_date >= anchor.start_date + ({{ from_days }}){% endif %}
            {% if to_days is not none %}and found.start_date <= anchor.start_date + ({{ to_days }}){% endif %}
            {% if min_end_days is not none %}and found.end_date >= anchor.end_date + ({{ min_end_days }}){% endif %}
        group by anchor.person_id, anchor.event_id
    )
{%- endmacro %}

{# Spans that start at most gap_days after all earlier ones of the same key ended are one era. #}
{% macro eras(spans, keys, gap_days) -%}
    (
        select {{ keys | join(', ') }}, min(start_date) as start_date, max(end_date) as end_date, count(*) as n_spans
        from (
            select *, sum(is_new) over (partition by {{ keys | join(', ') }} order by start_date, end_date, is_new desc rows unbounded preceding) as era
            from (
                select
                    {{ keys | join(', ') }},
                    start_date,
                    end_date,
                    case
                        when start_date <= max(end_date) over (
                            partition by {{ keys | join(', ') }} order by start_date, end_date
                            rows between unbounded preceding and 1 preceding
                        ) + {{ gap_days }} then 0
                        else 1
                    end as is_new
                from {{ spans }}
            )
        )
        group by {{ keys | join(', ') }}, era
    )
{%- endmacro %}

{# Last day of an exposure: recorded, else by days of supply, else the day after the start (as OMOP derives drug eras). #}
{% macro exposure_end(start_date, end_date, days_supply) -%}
    greatest({{ start_date }}, coalesce({{ end_date }}, {{ start_date }} + cast(nullif({{ days_supply }}, 0) as integer), {{ start_date }} + 1))
{%- endmacro %}

{# A list of texts as SQL literals. #}
{% macro sql_texts(values) -%}
    {%- for value in values -%}'{{ value | replace("'", "''") }}'{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}
