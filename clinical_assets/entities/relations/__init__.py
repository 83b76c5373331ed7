"""Relations between chemicals and diseases that one text names: features, model, rows of notes, evaluation."""
