{{ config(alias='extractor_scores') }}

-- How good extractors are on annotated documents. One row a corpus, split, task, extractor, type, matching and average.
select * from {{ source('lake', 'entities_extraction_scores') }}
