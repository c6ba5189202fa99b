"""Explains a model's decision on request: which sentences and words changed its answer, and by how much."""
