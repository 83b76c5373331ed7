"""Looks at the notes that feed no model."""
