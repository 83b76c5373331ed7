"""What entities are used for: drug safety, patterns of treatment, trials, drug labels, patient lists, evidence, trends, biomarkers."""
