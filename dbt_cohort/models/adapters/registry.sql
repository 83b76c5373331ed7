-- Every adapter that was ever trained here: from what, how, how good beside its base, and whether it labels. One row an adapter.
with promotions as (
    select adapter_sha, min(promoted_at) as first_promoted_at, max(promoted_at) as promoted_at
    from {{ source('lake', 'adapters_promotions') }}
    group by adapter_sha
),

overall as (
    select * from {{ source('lake', 'adapters_scores') }} where field = '(all)'
)

select
    trained.adapter_sha,
    trained.task,
    trained.model,
    case
        when verdicts.adapter_sha is null then 'not_compared'
        when promotions.promoted_at is null and verdicts.promotable then 'waiting'
        when promotions.promoted_at is null then 'refused'
        when promotions.promoted_at = max(promotions.promoted_at) over (partition by trained.task, trained.model) then 'promoted'
        else 'superseded'
    end as status,
    verdicts.reasons,
    overall.base_f1 as macro_f1_base,
    overall.adapter_f1 as macro_f1_adapter,
    verdicts.difference as macro_f1_difference,
    verdicts.difference_low as macro_f1_difference_low,
    verdicts.difference_high as macro_f1_difference_high,
    verdicts.n_above_base as n_fields_above_majority_base,
    verdicts.n_above_adapter as n_fields_above_majority_adapter,
    verdicts.n_fields,
    verdicts.n_notes as n_test,
    trained.n_train,
    trained.n_validation,
    trained.n_cut,
    trained.n_available,
    trained.base,
    trained.base_revision,
    trained.prompt_sha,
    trained.train_sha,
    trained.validation_sha,
    trained.settings,
    trained.n_trainable,
    trained.n_parameters,
    trained.n_steps,
    trained.best_epoch,
    trained.stopped,
    trained.seconds,
    trained.tokens_per_second,
    trained.peak_bytes,
    trained.device,
    trained.folder,
    trained.trained_at,
    verdicts.decided_at as compared_at,
    promotions.first_promoted_at,
    promotions.promoted_at,
    trained.run_id
from {{ source('lake', 'adapters_trained') }} as trained
left join {{ source('lake', 'adapters_verdicts') }} as verdicts using (adapter_sha)
left join promotions using (adapter_sha)
left join overall using (adapter_sha)
