"""Summaries that language models write, in two stages; the extractive ones are their baseline."""
