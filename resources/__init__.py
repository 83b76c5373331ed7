"""Dagster resources, thin: each turns configuration into a plain object of `clinical_assets` and holds no logic."""
