"""Serving: labels, summaries and entities of texts that a caller sends, over HTTP, by the same code as the assets."""
