"""The HuggingFace Hub, which is asked only when a model is mirrored."""

from pathlib import Path
from typing import Final

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from triage.bundle import hash_files, is_allowed
from triage.errors import BundleCorruptError, BundleTooLargeError, BundleUnavailableError, RegistryError

ANSWERS_WITHIN: Final = 30.0
"""Seconds. Without it the Hub's client waits for ever for a description. For files it has its own limit."""


class Hub:
    def __init__(
        self, endpoint: str, *, token: str | None, max_bytes: int, answers_within: float = ANSWERS_WITHIN
    ) -> None:
        # False, not None: None would pick up a token from the environment's cache.
        self._api = HfApi(endpoint=endpoint, token=token or False)
        self._max_bytes = max_bytes
        self._answers_within = answers_within

    def download(self, model_id: str, revision: str, folder: Path) -> None:
        """Fetch the allowed files of one commit into `folder`, and check them against the hashes that the Hub states.

        Raises:
            RegistryError: no such repository or commit.
            BundleTooLargeError: the files are too large together.
            BundleCorruptError: a file has another hash than the Hub states.
            BundleUnavailableError: the Hub did not answer.
        """
        try:
            sizes, hashes = self._files(model_id, revision)
            self._refuse_if_too_large(sum(sizes.values()))
            self._api.snapshot_download(model_id, revision=revision, local_dir=folder, allow_patterns=list(sizes))
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise RegistryError(
                f"the Hub has no {model_id}@{revision}, or the token may not see it; check id, revision and token"
            ) from error
        except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
            raise BundleUnavailableError(
                f"the Hub did not answer: {type(error).__name__}; register the model again for another try"
            ) from error
        files = hash_files(folder)
        # Again, because the Hub may have stated smaller sizes than it sent.
        self._refuse_if_too_large(sum(file.size for file in files))
        for file in files:
            if hashes.get(file.path, file.sha256) != file.sha256:
                raise BundleCorruptError(f"{file.path} has another hash than the Hub states; register the model again")

    def _refuse_if_too_large(self, size: int) -> None:
        if size > self._max_bytes:
            raise BundleTooLargeError(
                f"{size / 1e6:.0f} MB, at most {self._max_bytes / 1e6:.0f} MB are allowed; register a smaller model"
            )

    def _files(self, model_id: str, revision: str) -> tuple[dict[str, int], dict[str, str]]:
        """Return the sizes of the allowed files, and the SHA-256 of those that the Hub stores as large files."""
        described = self._api.model_info(model_id, revision=revision, files_metadata=True, timeout=self._answers_within)
        allowed = [sibling for sibling in described.siblings or [] if is_allowed(sibling.rfilename)]
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in allowed}
        return sizes, {sibling.rfilename: sibling.lfs.sha256 for sibling in allowed if sibling.lfs}
