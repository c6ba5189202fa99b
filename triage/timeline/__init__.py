"""A complaint's records as moments in the order of time."""
