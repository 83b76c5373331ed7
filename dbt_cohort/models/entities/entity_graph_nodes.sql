{{ config(alias='graph_nodes', meta={'dagster': {'group': 'entities', 'owners': ['team:clinical-nlp'], 'asset_key': ['entities', 'graph_nodes_mart']}}) }}

-- The knowledge graph's nodes, as they may be shown: small counts are withheld where they are made.
select * from {{ source('lake', 'entities_graph_nodes') }}
