"""Human annotations: what landed, who answered what, what they agree on, and which part of the data a note belongs to."""
