"""The embedded AWS: MiniStack, with fixes for its differences from AWS, so that the product is the same on both."""
