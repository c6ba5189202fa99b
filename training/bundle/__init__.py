"""Everything between trained classifiers and a published bundle."""
