"""Mirrored bundles in S3, as `model_id/revision/file`, each with its manifest and registration beside the files."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from triage.bundle import MANIFEST_FILE, BundleFile, Manifest, read_manifest
from triage.errors import BundleUnavailableError
from triage.steps import ModelReference
from triage.strategies.registry import ModelInfo

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGISTRATION_FILE = "registration.json"


class S3Bundles:
    """Every method raises BundleUnavailableError where S3 does not answer."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def manifest(self, model: ModelReference) -> Manifest:
        """Return the manifest. Raises: BundleUnavailableError; BundleCorruptError if it is not the registered one."""
        document = self._get(_key(model.model_id, model.revision, MANIFEST_FILE))
        return read_manifest(document, expected_sha256=model.manifest_sha256)

    def fetch(self, model: ModelReference, manifest: Manifest, folder: Path) -> None:
        """Copy the files that a server needs into `folder`."""
        self.fetch_files(model, manifest.served, folder)

    def fetch_files(self, model: ModelReference, files: Iterable[BundleFile], folder: Path) -> None:
        """Copy files into `folder`. A file of the same size from an earlier copy is kept; the caller verifies all."""
        for file in files:
            target = folder / file.path
            if target.is_file() and target.stat().st_size == file.size:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            key = _key(model.model_id, model.revision, file.path)
            with _available(key):
                self._client.download_file(self._bucket, key, str(target))

    def store(self, folder: Path, manifest: Manifest, *, model_id: str, revision: str) -> None:
        """Copy a bundle to S3. The manifest goes last, so that a bundle with a manifest is complete."""
        with _available(f"{model_id}@{revision}"):
            for file in manifest.files:
                self._client.upload_file(str(folder / file.path), self._bucket, _key(model_id, revision, file.path))
            key = _key(model_id, revision, MANIFEST_FILE)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=manifest.document())

    def store_registration(self, model: ModelInfo) -> None:
        """Store a copy of a mirrored model's row, so that later edits of the row are found."""
        key = _key(model.model_id, model.revision, REGISTRATION_FILE)
        with _available(key):
            self._client.put_object(Bucket=self._bucket, Key=key, Body=model.model_dump_json().encode())

    def registration(self, model_id: str, revision: str) -> ModelInfo | None:
        """Return the row that `store_registration` kept, or None for a model that was not mirrored."""
        try:
            return ModelInfo.model_validate_json(self._get(_key(model_id, revision, REGISTRATION_FILE)))
        except BundleUnavailableError as error:
            if isinstance(error.__cause__, self._client.exceptions.NoSuchKey):
                return None
            raise

    def _get(self, key: str) -> bytes:
        with _available(key):
            return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()


@contextmanager
def _available(what: str) -> Iterator[None]:
    """Turn every failure of S3 into a BundleUnavailableError. boto3's transfers raise errors of their own family."""
    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise BundleUnavailableError(f"{what} cannot be read from or written to S3: {type(error).__name__}") from error


def _key(model_id: str, revision: str, name: str) -> str:
    return f"{model_id}/{revision}/{name}"
