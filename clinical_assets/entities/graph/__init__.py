"""The knowledge graph: what notes name together, as counts of persons and notes. Nothing in it is of one person."""
