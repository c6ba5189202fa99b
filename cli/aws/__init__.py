"""What the commands share that speaks to a deployment."""
