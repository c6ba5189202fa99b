"""Chains that prove what was recorded, verification, replay, legal holds and erasure."""
