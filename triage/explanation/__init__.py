"""Explains a model's decision on request: by how much each sentence, and the words of the strongest sentences, changed
the calibrated probability of the label."""
