"""Domain: what a complaint is and how it is triaged. Imports neither aws_cdk nor boto3."""

__version__ = "0.2.0"
