"""A complaint's whole story as a page that needs nothing beside itself."""
