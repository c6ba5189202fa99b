"""Mirrored bundles in S3: `model_id/revision/file`, with the manifest and the registration beside the files."""

from collections.abc import Iterable
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

_FAILURES = (BotoCoreError, ClientError, Boto3Error)
"""botocore's own, and those of boto3's transfers, which derive from neither."""


class S3Bundles:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def manifest(self, model: ModelReference) -> Manifest:
        key = _key(model.model_id, model.revision, MANIFEST_FILE)
        try:
            document = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except _FAILURES as error:
            raise BundleUnavailableError(f"{key}: {type(error).__name__}") from error
        return read_manifest(document, expected_sha256=model.manifest_sha256)

    def fetch(self, model: ModelReference, manifest: Manifest, folder: Path) -> None:
        """Copy the served files."""
        self.fetch_files(model, manifest.served, folder)

    def fetch_files(self, model: ModelReference, files: Iterable[BundleFile], folder: Path) -> None:
        """What lies in `folder` already, from an earlier load, is kept: it is verified by whoever loads it.

        Raises: BundleUnavailableError.
        """
        for file in files:
            target = folder / file.path
            if target.is_file() and target.stat().st_size == file.size:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            key = _key(model.model_id, model.revision, file.path)
            try:
                self._client.download_file(self._bucket, key, str(target))
            except _FAILURES as error:
                raise BundleUnavailableError(f"{key}: {type(error).__name__}") from error

    def store(self, folder: Path, manifest: Manifest, *, model_id: str, revision: str) -> None:
        """The manifest goes last: where it lies, the bundle is complete.

        Raises: BundleUnavailableError.
        """
        try:
            for file in manifest.files:
                self._client.upload_file(str(folder / file.path), self._bucket, _key(model_id, revision, file.path))
            key = _key(model_id, revision, MANIFEST_FILE)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=manifest.document())
        except _FAILURES as error:
            raise BundleUnavailableError(f"{model_id}@{revision}: {type(error).__name__}") from error

    def store_registration(self, model: ModelInfo) -> None:
        """The row of a mirrored model as it was then, for whoever compares.

        Raises: BundleUnavailableError.
        """
        key = _key(model.model_id, model.revision, REGISTRATION_FILE)
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=model.model_dump_json().encode())
        except _FAILURES as error:
            raise BundleUnavailableError(f"{key}: {type(error).__name__}") from error

    def registration(self, model_id: str, revision: str) -> ModelInfo | None:
        """None for what was not mirrored.

        Raises: BundleUnavailableError.
        """
        key = _key(model_id, revision, REGISTRATION_FILE)
        try:
            document = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        except _FAILURES as error:
            raise BundleUnavailableError(f"{key}: {type(error).__name__}") from error
        return ModelInfo.model_validate_json(document)


def _key(model_id: str, revision: str, name: str) -> str:
    return f"{model_id}/{revision}/{name}"
