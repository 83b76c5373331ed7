{{ config(alias='graph_edges', meta={'dagster': {'group': 'entities', 'owners': ['team:clinical-nlp'], 'asset_key': ['entities', 'graph_edges_mart']}}) }}

-- The knowledge graph's edges, as they may be shown: small counts are withheld where they are made.
select * from {{ source('lake', 'entities_graph_edges') }}
