"""Summaries in two stages, and metrics that do not lie about them."""
