"""The `triage` command: operate an environment, local by default."""

import os

# Read once by huggingface_hub, at its import. Without it, uploads ask for a protocol that only the public Hub speaks.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
# Commands show progress of their own.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
