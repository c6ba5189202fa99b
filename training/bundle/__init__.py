"""From trained classifiers to a published bundle."""
