{{ config(alias='relations', meta={'dagster': {'group': 'entities', 'owners': ['team:clinical-nlp'], 'asset_key': ['entities', 'relations_mart']}}) }}

-- Pairs of a chemical and a disease in the current version of every note, without words. One row a note and pair.
select
    relations.note_id,
    relations.person_id,
    note_index.note_date,
    relations.relation,
    relations.chemical_key,
    relations.disease_key,
    relations.chemical_concept_id,
    relations.disease_concept_id,
    relations.probability,
    relations.threshold,
    relations.value,
    relations.wording,
    -- the rule of clinical_assets/entities/relations/note_relations.py (ASSERTED)
    relations.chemical_assertion in ('affirmed', 'historical')
    and relations.disease_assertion in ('affirmed', 'historical') as is_asserted,
    relations.chemical_assertion,
    relations.disease_assertion,
    relations.n_shared_sentences,
    relations.sentences_apart,
    relations.cue_start,
    relations.cue_end,
    relations.evidence_start,
    relations.evidence_end,
    relations.chemical_start,
    relations.chemical_end,
    relations.disease_start,
    relations.disease_end,
    relations.extractor,
    relations.model_revision,
    relations.relation_model,
    relations.note_sha256,
    relations.batch,
    relations.extracted_at,
    relations.run_id
from {{ source('lake', 'entities_relations') }} as relations
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = relations.note_id
    and note_index.batch = relations.batch
    and note_index.text_sha256 = relations.note_sha256
