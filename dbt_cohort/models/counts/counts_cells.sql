{{ config(alias='cells') }}
-- Every count that a published table shows, under one key, and the counts that follow from them by subtraction (is_implied):
-- those are never shown, but a small one must not be derivable either. One row a cell.
with demographics as (
    select population, characteristic, level, concat_ws('|', 'demographics', population, characteristic, level) as cell, n
    from {{ ref('counts_demographics') }}
),

fields as (
    select population, labeller, field, answer, concat_ws('|', 'fields', population, labeller, field, answer) as cell, n
    from {{ ref('counts_fields') }}
),

noted as (
    select known.population, count(note.note_id) as n_with_note, count(person_id) - count(note.note_id) as n_without_note
    from (values ('cml'), ('cohort')) as known(population)
    left join {{ ref('populations') }} using (population)
    left join {{ ref('latest_progress_notes') }} as note using (person_id)
    group by all
),

overlap_sets as (select * from {{ ref('counts_imatinib') }}),

other_sources as (select distinct indication, unnest(flatten([sources, ['drug_exposure']])) as source from overlap_sets),

sources as (
    select
        other_sources.indication,
        other_sources.source,
        coalesce(sum(n) filter (list_contains(sources, other_sources.source) and list_contains(sources, 'drug_exposure')), 0) as n_both,
        coalesce(sum(n) filter (list_contains(sources, other_sources.source) and not list_contains(sources, 'drug_exposure')), 0) as n_only_here,
        coalesce(sum(n) filter (not list_contains(sources, other_sources.source) and list_contains(sources, 'drug_exposure')), 0)
            as n_only_in_drug_exposure
    from other_sources
    inner join overlap_sets using (indication)
    where other_sources.source <> 'drug_exposure'
    group by all
),

survival as (
    select population, outcome, years, kind, concat_ws('|', 'survival', population, outcome, years, kind) as cell, n
    from {{ ref('counts_survival') }}
    unpivot (n for kind in (n_at_start, n_events, n_competing, n_censored, n_beyond))
),

milestones as (
    select population, month, response, concat_ws('|', 'milestones', population, month, response) as cell, n
    from {{ ref('counts_milestones') }}
),

cells as (
    select cell, n, false as is_implied from demographics
    union all
    select 'not in ' || part.cell, whole.n - part.n, true
    from demographics as part
    inner join demographics as whole using (characteristic, level)
    where whole.population = 'cml' and part.population <> 'cml'
    union all
    select cell, n, false from fields
    union all
    select 'not in ' || part.cell, whole.n - part.n, true
    from fields as part
    inner join fields as whole using (labeller, field, answer)
    where whole.population = 'cml' and part.population = 'cohort'
    union all
    select 'with note|' || population, n_with_note, false from noted
    union all
    select 'without note|' || population, n_without_note, false from noted
    union all
    select concat_ws('|', 'overlap', indication, array_to_string(sources, ' + ')), n, false from overlap_sets
    union all
    select concat_ws('|', 'imatinib', indication, 'persons'), sum(n), false from overlap_sets group by indication
    union all
    select concat_ws('|', 'imatinib', indication, 'in drug_exposure'), coalesce(sum(n) filter (list_contains(sources, 'drug_exposure')), 0), false
    from overlap_sets group by indication
    union all
    select concat_ws('|', 'imatinib', indication, source, kind), n, false
    from sources
    unpivot (n for kind in (n_both, n_only_here, n_only_in_drug_exposure))
    union all
    select concat_ws('|', 'imatinib', indication, source, 'n_found'), n_both + n_only_here, false from sources
    union all
    -- persons with an index for whom no source names imatinib
    select 'no imatinib|cml', (select count(*) from {{ ref('cml_index') }}) - coalesce(sum(n), 0), true
    from overlap_sets
    where indication = 'chronic myeloid leukemia'
    union all
    select concat_ws('|', 'attrition', rule_order, kind), n, false
    from (select rule_order, cast(n_before as bigint) as n_before, cast(n_dropped as bigint) as n_dropped, cast(n_after as bigint) as n_after from {{ ref('attrition') }})
    unpivot (n for kind in (n_before, n_dropped, n_after))
    union all
    select cell, n, false from survival
    union all
    select 'not in ' || part.cell, whole.n - part.n, true
    from survival as part
    inner join survival as whole using (outcome, years, kind)
    where whole.population = 'imatinib_starters' and part.population = 'cohort'
    union all
    select 'after switch or transplant|' || part.cell, whole.n - part.n, true
    from survival as part
    inner join survival as whole using (population, years, kind)
    where whole.outcome = 'overall_survival_regardless_of_treatment' and part.outcome = 'overall_survival' and kind = 'n_events'
    union all
    select cell, n, false from milestones
    union all
    -- molecular response is estimated among persons with a result: the others follow by subtraction
    select 'without result|' || survival.population, persons.n - survival.n, true
    from survival
    inner join (select population, sum(n) as n from milestones where month = 3 group by population) as persons using (population)
    where survival.outcome = 'major_molecular_response' and survival.years = 1 and survival.kind = 'n_at_start'
    union all
    select 'not in ' || part.cell, whole.n - part.n, true
    from milestones as part
    inner join milestones as whole using (month, response)
    where whole.population = 'imatinib_starters' and part.population = 'cohort'
    union all
    select concat_ws('|', 'milestones', population, 'persons'), sum(n), false from {{ ref('counts_milestones') }} where month = 3 group by population
)

select cell, n, is_implied, {{ param('small_cell_threshold') }} as small_below from cells
