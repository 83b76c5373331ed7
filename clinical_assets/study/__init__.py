"""The study as data: concepts, wording, column mapping and limits, validated before any work."""
