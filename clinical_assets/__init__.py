"""Software-defined assets for clinical text: one package per subject, the work free of Dagster."""
