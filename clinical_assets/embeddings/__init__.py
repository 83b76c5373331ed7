"""Codes as text, and texts as vectors: what is said of a person before an index date, and what a note is about, as numbers."""
