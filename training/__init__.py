"""From labelled complaints to a model on the Hub: exports, preparation, training, evaluation, publication."""
