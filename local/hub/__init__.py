"""A Hugging Face Hub on loopback, for the client `huggingface_hub`: models and datasets with commits, tags and LFS.

The client needs `HF_ENDPOINT` set to the address of this Hub, and `HF_HUB_DISABLE_XET=1`, because it takes uploads by
LFS only. Everyone who reaches the port may read and write: `private` is recorded but not enforced. Only one server at a
time may use a root folder.
"""
