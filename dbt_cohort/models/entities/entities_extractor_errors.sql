{{ config(alias='extractor_errors') }}

-- What kinds of mistakes extractors make on annotated documents. One row a corpus, split, extractor, type and kind.
select * from {{ source('lake', 'entities_extraction_errors') }}
