-- Diseases and chemicals in the current version of every note that was read: where, how it is meant, which concept. No words.
select
    mention.note_id,
    mention.person_id,
    note_index.note_date,
    mention.mention_index,
    mention."start" as start_offset,
    mention."end" as end_offset,
    mention.entity_type,
    mention.is_abbreviation,
    mention.assertion,
    mention.reason,
    mention.section,
    mention.entity_key,
    mention.concept_id,
    mention.concept_name,
    mention.vocabulary_id,
    mention.concept_code,
    mention.link_score,
    mention.linker_sha,
    mention.confidence,
    mention.extractor,
    mention.model_revision,
    mention.adapter_sha,
    mention.prompt_sha,
    mention.decoding,
    mention.note_sha256,
    mention.batch,
    mention.extracted_at,
    mention.run_id
from {{ source('lake', 'entities_mentions') }} as mention
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = mention.note_id
    and note_index.batch = mention.batch
    and note_index.text_sha256 = mention.note_sha256
