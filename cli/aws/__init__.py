"""Access to a deployment, shared by the commands."""
