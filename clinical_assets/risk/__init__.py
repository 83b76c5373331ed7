"""Risk questions: windows, features, learners, honest evaluation, scores."""
