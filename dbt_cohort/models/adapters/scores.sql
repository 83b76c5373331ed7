-- Base and adapter on the same test notes, side by side, with the differences and their limits. One row an adapter and field, and
-- one, (all), for all fields.
select trained.task, trained.model, scores.*
from {{ source('lake', 'adapters_scores') }} as scores
inner join {{ source('lake', 'adapters_trained') }} as trained using (adapter_sha)
