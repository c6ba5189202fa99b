"""The encoder, the heads over it, and how they are trained."""
