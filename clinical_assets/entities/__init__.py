"""Entities: diseases and chemicals in notes, links to concepts, relations, the knowledge graph, and what they are for."""
