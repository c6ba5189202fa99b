"""What a model is worth: figures with intervals, beside people and baselines, and where it fails."""
