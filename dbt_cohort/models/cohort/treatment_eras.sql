-- Treatment eras: exposures to the same kind of drug, joined over gaps of up to era_gap_days. One row a person, drug and era.
with spans as (select person_id, drug, start_date, end_date from {{ ref('tki_exposures') }})

select person_id, drug, start_date as era_start, end_date as era_end, end_date - start_date + 1 as era_days, n_spans as n_exposures
from {{ eras('spans', ['person_id', 'drug'], param('era_gap_days')) }}
