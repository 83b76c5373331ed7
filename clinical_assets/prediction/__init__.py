"""Many models, one yes/no question about rows of a table, an honest comparison."""
