-- What base and adapter said of every test note, beside gold. One row an adapter, variant, note and field.
select trained.task, trained.model, answers.* exclude (run_id)
from {{ source('lake', 'adapters_answers') }} as answers
inner join {{ source('lake', 'adapters_trained') }} as trained using (adapter_sha)
