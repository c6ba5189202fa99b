"""What the domain asks for, satisfied with boto3."""
