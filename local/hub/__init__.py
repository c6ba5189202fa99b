"""A HuggingFace Hub on loopback: models and datasets with commits, branches, tags and LFS, for the real client.

The client needs `HF_ENDPOINT` set to the address served here, and `HF_HUB_DISABLE_XET=1`: this Hub takes uploads over
LFS alone. Everyone who reaches the port may read and write, `private` is recorded and not enforced, and one root
belongs to one server at a time.
"""
