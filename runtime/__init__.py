"""Lambda handlers: parse, call the domain, return. One module per function; boto3 lives in `adapters`."""
