"""Evaluates a model: figures with intervals, compared with people and baselines, and where it fails."""
