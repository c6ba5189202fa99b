"""A Hugging Face Hub on loopback, for the client `huggingface_hub`: models and datasets with commits, tags and LFS.

The client needs `HF_ENDPOINT` set to the address of this Hub, `HF_TOKEN` to the token of its state folder, and
`HF_HUB_DISABLE_XET=1`, because the Hub takes uploads by LFS only. Whoever knows the token may read and write: `private`
is recorded but not enforced. Only one server at a time may use a root folder.
"""
