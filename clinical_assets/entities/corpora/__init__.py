"""Corpora that people annotated: reading them, the model that is trained on them, how good every extractor is on them."""
