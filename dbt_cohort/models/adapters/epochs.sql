-- How each training went: loss and measure after every epoch. One row an adapter and epoch.
select trained.task, trained.model, epochs.*
from {{ source('lake', 'adapters_epochs') }} as epochs
inner join {{ source('lake', 'adapters_trained') }} as trained using (adapter_sha)
