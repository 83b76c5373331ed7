"""Data quality: Great Expectations suites as asset checks, counts only."""
