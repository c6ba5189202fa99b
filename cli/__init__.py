"""The `triage` command: operate an environment, local by default."""

import os

# huggingface_hub reads this at its import. Unset, uploads would use Xet, a protocol that only the public Hub has.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
# Commands show their own progress.
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
