"""Notes: from landed files to stored notes, sections and quarantined rows."""
