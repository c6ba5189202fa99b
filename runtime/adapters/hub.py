"""The HuggingFace Hub, asked only at registration."""

from pathlib import Path
from typing import Final

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from triage.bundle import BundleFile, hash_files, is_allowed
from triage.errors import BundleCorruptError, BundleUnavailableError, BundleUnsafeError, RegistryError

ANSWERS_WITHIN: Final = 30.0
"""Seconds. The Hub's client waits for ever for a description; for files it has a limit of its own."""


class Hub:
    def __init__(
        self, endpoint: str, *, token: str | None, max_bytes: int, answers_within: float = ANSWERS_WITHIN
    ) -> None:
        # False, not None: None would pick up a token from the environment's cache.
        self._api = HfApi(endpoint=endpoint, token=token or False)
        self._max_bytes = max_bytes
        self._answers_within = answers_within

    def download(self, model_id: str, revision: str, folder: Path) -> None:
        """Fetch the allowed files of one commit into `folder`, and check them against the Hub's own hashes.

        Raises:
            RegistryError: no such repository or commit.
            BundleUnsafeError: the files together are too large.
            BundleCorruptError: a file is not what the Hub says it is.
            BundleUnavailableError: the Hub did not answer.
        """
        try:
            sizes, hashes = self._files(model_id, revision)
            self._refuse_if_too_large(sum(sizes.values()))
            self._api.snapshot_download(model_id, revision=revision, local_dir=folder, allow_patterns=list(sizes))
        except (RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise RegistryError(f"the Hub has no {model_id}@{revision}, or the token may not see it") from error
        except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
            raise BundleUnavailableError(f"the Hub did not answer: {type(error).__name__}") from error
        files = hash_files(folder)
        # Once more, of what came: the Hub may have announced less.
        self._refuse_if_too_large(sum(file.size for file in files))
        _compare(files, hashes)

    def _refuse_if_too_large(self, size: int) -> None:
        if size > self._max_bytes:
            raise BundleUnsafeError(f"{size / 1e6:.0f} MB, at most {self._max_bytes / 1e6:.0f} MB are allowed")

    def _files(self, model_id: str, revision: str) -> tuple[dict[str, int], dict[str, str]]:
        """Sizes of the allowed files, and the sha256 of those that the Hub stores as large files."""
        described = self._api.model_info(model_id, revision=revision, files_metadata=True, timeout=self._answers_within)
        allowed = [sibling for sibling in described.siblings or [] if is_allowed(sibling.rfilename)]
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in allowed}
        return sizes, {sibling.rfilename: sibling.lfs.sha256 for sibling in allowed if sibling.lfs}


def _compare(files: tuple[BundleFile, ...], hashes: dict[str, str]) -> None:
    for file in files:
        if hashes.get(file.path, file.sha256) != file.sha256:
            raise BundleCorruptError(f"{file.path} is not the file that the Hub names")
