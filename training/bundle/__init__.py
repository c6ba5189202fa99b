"""Makes bundles from trained classifiers, and publishes them."""
