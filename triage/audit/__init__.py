"""What was recorded stays true: chains, verification, replay, holds and erasure."""
