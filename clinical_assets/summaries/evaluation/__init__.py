"""Summaries measured: scores per note, means with limits, controls, targets, figures, report section and export."""
