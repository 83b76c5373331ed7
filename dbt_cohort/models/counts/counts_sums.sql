{{ config(alias='sums') }}
-- How the counts hang together: each total is the sum of its parts (one part: the two are the same number). Whatever a
-- reader can subtract must be here, or complementary suppression cannot see it. One row a total, sum and part.
with demographics as (
    select population, characteristic, level, concat_ws('|', 'demographics', population, characteristic, level) as cell
    from {{ ref('counts_demographics') }}
),

fields as (
    select population, labeller, field, answer, concat_ws('|', 'fields', population, labeller, field, answer) as cell
    from {{ ref('counts_fields') }}
),

overlap_sets as (
    select *, concat_ws('|', 'overlap', indication, array_to_string(sources, ' + ')) as cell from {{ ref('counts_imatinib') }}
),

other_sources as (
    select distinct indication, source
    from (select indication, unnest(sources) as source from overlap_sets)
    where source <> 'drug_exposure'
),

attrition as (select cast(rule_order as integer) as rule_order from {{ ref('attrition') }}),

survival as (select * from {{ ref('counts_survival') }}),

survival_cells as (
    select population, outcome, years, kind, concat_ws('|', 'survival', population, outcome, years, kind) as cell
    from survival
    unpivot (n for kind in (n_at_start, n_events, n_competing, n_censored, n_beyond))
),

milestones as (
    select population, month, response, concat_ws('|', 'milestones', population, month, response) as cell
    from {{ ref('counts_milestones') }}
),

totals as (
    -- one characteristic adds up to the population
    select 'demographics|' || population || '|all|all' as total, 'levels of ' || characteristic as why, cell as part
    from demographics
    where characteristic <> 'all'
    union all
    -- a population and the rest of those with an index
    select whole.cell, 'with and without ' || part.population, unnest([part.cell, 'not in ' || part.cell])
    from demographics as part
    inner join demographics as whole using (characteristic, level)
    where whole.population = 'cml' and part.population <> 'cml'
    union all
    select whole.cell, 'with and without ' || part.population, unnest([part.cell, 'not in ' || part.cell])
    from fields as part
    inner join fields as whole using (labeller, field, answer)
    where whole.population = 'cml' and part.population = 'cohort'
    union all
    -- true, false and no answer add up to the notes
    select 'with note|' || population, labeller || ' ' || field, cell from fields
    union all
    select 'demographics|' || population || '|all|all', 'with and without note', unnest(['with note|' || population, 'without note|' || population])
    from (select distinct population from fields)
    union all
    -- the population whose note mentions imatinib is a count of the field table
    select 'demographics|imatinib in note: ' || labeller || '|all|all', 'same', cell
    from fields
    where population = 'cml' and field = 'imatinib_mentioned' and answer = 'true'
        and 'imatinib in note: ' || labeller in (select population from demographics)
    union all
    select 'imatinib|' || indication || '|persons', 'sets of sources', cell from overlap_sets
    union all
    select 'imatinib|' || indication || '|in drug_exposure', 'sets of sources', cell from overlap_sets where list_contains(sources, 'drug_exposure')
    union all
    select concat_ws('|', 'imatinib', indication, source, 'n_both'), 'sets of sources', cell
    from overlap_sets inner join other_sources using (indication)
    where list_contains(sources, source) and list_contains(sources, 'drug_exposure')
    union all
    select concat_ws('|', 'imatinib', indication, source, 'n_only_here'), 'sets of sources', cell
    from overlap_sets inner join other_sources using (indication)
    where list_contains(sources, source) and not list_contains(sources, 'drug_exposure')
    union all
    select concat_ws('|', 'imatinib', indication, source, 'n_only_in_drug_exposure'), 'sets of sources', cell
    from overlap_sets inner join other_sources using (indication)
    where not list_contains(sources, source) and list_contains(sources, 'drug_exposure')
    union all
    select concat_ws('|', 'imatinib', indication, source, 'n_found'), 'with and without drug_exposure',
        concat_ws('|', 'imatinib', indication, source, unnest(['n_both', 'n_only_here']))
    from other_sources
    union all
    select 'imatinib|' || indication || '|in drug_exposure', 'with and without ' || source,
        concat_ws('|', 'imatinib', indication, source, unnest(['n_both', 'n_only_in_drug_exposure']))
    from other_sources
    union all
    -- those with an index: the table of sources and the table of populations speak of the same persons
    select 'demographics|cml|all|all', 'with and without imatinib', unnest(['imatinib|chronic myeloid leukemia|persons', 'no imatinib|cml'])
    where exists (select 1 from overlap_sets where indication = 'chronic myeloid leukemia')
    union all
    select 'demographics|imatinib in drug_exposure|all|all', 'same', 'imatinib|chronic myeloid leukemia|in drug_exposure'
    where exists (select 1 from overlap_sets where indication = 'chronic myeloid leukemia')
    union all
    select concat_ws('|', 'attrition', rule_order, 'n_before'), 'rule', concat_ws('|', 'attrition', rule_order, unnest(['n_dropped', 'n_after']))
    from attrition
    union all
    select concat_ws('|', 'attrition', rule_order, 'n_before'), 'same', concat_ws('|', 'attrition', rule_order - 1, 'n_after')
    from attrition
    where rule_order > 1
    union all
    select 'demographics|cohort|all|all', 'same as last rule', concat_ws('|', 'attrition', max(rule_order), 'n_after') from attrition
    union all
    select 'demographics|cml|all|all', 'same as first rule', 'attrition|1|n_after'
    union all
    select concat_ws('|', 'survival', population, outcome, years, 'n_at_start'), 'interval',
        concat_ws('|', 'survival', population, outcome, years, unnest(['n_events', 'n_competing', 'n_censored', 'n_beyond']))
    from survival
    union all
    select concat_ws('|', 'survival', population, outcome, years, 'n_at_start'), 'same',
        concat_ws('|', 'survival', population, outcome, lag(years) over (partition by population, outcome order by years), 'n_beyond')
    from survival
    qualify lag(years) over (partition by population, outcome order by years) is not null
    union all
    -- the cohort is part of the starters
    select whole.cell, 'in and not in cohort', unnest([part.cell, 'not in ' || part.cell])
    from survival_cells as part
    inner join survival_cells as whole using (outcome, years, kind)
    where whole.population = 'imatinib_starters' and part.population = 'cohort'
    union all
    select whole.cell, 'in and not in cohort', unnest([part.cell, 'not in ' || part.cell])
    from milestones as part
    inner join milestones as whole using (month, response)
    where whole.population = 'imatinib_starters' and part.population = 'cohort'
    union all
    select 'milestones|' || population || '|persons', 'with and without result', unnest([cell, 'without result|' || population])
    from survival_cells
    where outcome = 'major_molecular_response' and years = 1 and kind = 'n_at_start'
    union all
    -- deaths on treatment are part of all deaths
    select whole.cell, 'on and after treatment', unnest([part.cell, 'after switch or transplant|' || part.cell])
    from survival_cells as part
    inner join survival_cells as whole using (population, years, kind)
    where whole.outcome = 'overall_survival_regardless_of_treatment' and part.outcome = 'overall_survival' and kind = 'n_events'
    union all
    -- a switch ends follow-up, so overall survival and switch follow persons for the same time
    select overall.cell, 'same as switch', switch.cell
    from survival_cells as overall
    inner join survival_cells as switch using (population, years)
    where overall.outcome = 'overall_survival' and switch.outcome = 'treatment_switch'
        and (
            (overall.kind = switch.kind and overall.kind in ('n_at_start', 'n_beyond'))
            or (overall.kind = 'n_events' and switch.kind = 'n_competing')
            or (overall.kind = 'n_censored' and switch.kind in ('n_events', 'n_censored'))
        )
    union all
    select 'milestones|' || population || '|persons', 'month ' || month, cell
    from milestones
    union all
    -- everyone of an outcome population starts its overall survival
    select distinct 'milestones|' || population || '|persons', 'same as ' || outcome, concat_ws('|', 'survival', population, outcome, 1, 'n_at_start')
    from survival
    where outcome <> 'major_molecular_response'
)

select total, why, part from totals
