{{ config(alias='imatinib_sources') }}
-- Structured against text: persons with imatinib per indication on record and source, beside the exposure records.
-- One row an indication and source other than drug_exposure.
with cells as (
    select
        split_part(cell, '|', 2) as indication,
        split_part(cell, '|', 3) as source,
        split_part(cell, '|', 4) as kind,
        {{ shown('n', 'cell') }} as n
    from {{ ref('counts_cells') }}
    where cell like 'imatinib|%|%|%'
),

exposed as (
    select split_part(cell, '|', 2) as indication, {{ shown('n', 'cell') }} as n_in_drug_exposure
    from {{ ref('counts_cells') }}
    where cell like 'imatinib|%|in drug_exposure'
)

select
    cells.indication,
    cells.source,
    max(cells.n) filter (kind = 'n_found') as n_found,
    any_value(exposed.n_in_drug_exposure) as n_in_drug_exposure,
    max(cells.n) filter (kind = 'n_both') as n_in_both,
    max(cells.n) filter (kind = 'n_only_here') as n_only_in_source,
    max(cells.n) filter (kind = 'n_only_in_drug_exposure') as n_only_in_drug_exposure
from cells
inner join exposed using (indication)
group by cells.indication, cells.source
