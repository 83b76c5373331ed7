{{ config(alias='imatinib_overlaps') }}
-- Persons with imatinib per indication on record and exact set of sources that name it. One row an indication and set.
select
    indication,
    array_to_string(sources, ' + ') as sources,
    len(sources) as n_sources,
    {{ shown('n', "concat_ws('|', 'overlap', indication, array_to_string(sources, ' + '))") }} as n
from {{ ref('counts_imatinib') }}
