{{ config(alias='survival') }}
-- Outcomes at fixed horizons from the first imatinib: Kaplan-Meier survival, or Aalen-Johansen cumulative incidence where
-- death competes. An estimate is shown only where every count that it is made of is. One row a population, outcome and horizon.
with counted as (
    select
        *,
        {% for kind in ['n_at_start', 'n_events', 'n_competing', 'n_censored', 'n_beyond'] %}
        {{ shown(kind, "concat_ws('|', 'survival', population, outcome, years, '" ~ kind ~ "')") }} as shown_{{ kind }},
        {% endfor %}
    from {{ ref('counts_survival') }}
),

complete as (
    select
        *,
        bool_and(shown_n_at_start + shown_n_events + shown_n_competing + shown_n_censored + shown_n_beyond is not null)
            over (partition by population, outcome order by years) as is_complete
    from counted
)

select
    complete.population,
    complete.outcome,
    complete.years,
    shown_n_at_start as n_at_start,
    shown_n_events as n_events,
    shown_n_competing as n_competing,
    shown_n_censored as n_censored,
    shown_n_beyond as n_beyond,
    estimates.estimand,
    case when is_complete then round(estimates.estimate, 3) end as estimate,
    case when is_complete then round(estimates.lower, 3) end as lower_95,
    case when is_complete then round(estimates.upper, 3) end as upper_95,
    not is_complete as is_withheld
from complete
left join {{ ref('survival_at_horizons') }} as estimates using (population, outcome, years)
