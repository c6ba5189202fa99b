"""A complaint's story as events in the order of time."""
