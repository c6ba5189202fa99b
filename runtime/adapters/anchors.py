"""The bucket of anchors, which are only ever added."""

from typing import TYPE_CHECKING

from triage.audit.anchor import Anchor, chain_of
from triage.audit.chain import Link

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Anchors:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def add(self, link: Link) -> None:
        """Anchor a link. To anchor it again changes nothing."""
        self._client.put_object(Bucket=self._bucket, Key=Anchor.of(link).key, Body=b"")

    def of(self, link: Link) -> list[Anchor]:
        """Return all anchors of a link's chain."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{chain_of(link)}/")
        keys = (found["Key"] for page in pages for found in page.get("Contents", []))
        return [anchor for anchor in map(Anchor.read, keys) if anchor is not None]
