"""Evidence about challengers as a page that needs nothing beside itself."""
