"""S3 buckets. CloudFormation words lifecycle rules and encryption otherwise than the API."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local.deployed import NotAppliedError, Resource
from local.setting import Clients, Setting, asked

TYPES = ("AWS::S3::Bucket",)

Rule = dict[str, Any]

_SAME = {"Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}
_EXPIRATION = {
    "ExpirationInDays": "Days",
    "ExpirationDate": "Date",
    "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker",
}
_TRANSITION = {"StorageClass": "StorageClass", "TransitionInDays": "Days", "TransitionDate": "Date"}
_NONCURRENT_TRANSITION = {
    "StorageClass": "StorageClass",
    "TransitionInDays": "NoncurrentDays",
    "NewerNoncurrentVersions": "NewerNoncurrentVersions",
}
_FILTER = {
    "Prefix": "Prefix",
    "ObjectSizeGreaterThan": "ObjectSizeGreaterThan",
    "ObjectSizeLessThan": "ObjectSizeLessThan",
    "TagFilters": "Tags",
}
_KNOWN = _SAME | {"Id", "Transitions", "NoncurrentVersionTransitions"} | set(_EXPIRATION) | set(_FILTER)


def lifecycle(bucket: Resource) -> list[Rule] | None:
    """Raises: NotAppliedError at a part of a rule that is not understood."""
    configuration = bucket.get("LifecycleConfiguration")
    return [lifecycle_rule(rule, bucket) for rule in configuration["Rules"]] if configuration else None


def lifecycle_rule(rule: Rule, bucket: object) -> Rule:
    if unknown := set(rule) - _KNOWN:
        raise NotAppliedError(f"{bucket}: a lifecycle rule has {sorted(unknown)}; teach it to {__name__}")
    parts: Rule = {
        "ID": rule.get("Id"),
        "Expiration": _renamed(rule, _EXPIRATION),
        "Transitions": [_renamed(item, _TRANSITION) for item in rule.get("Transitions", [])],
        "NoncurrentVersionTransitions": [
            _renamed(item, _NONCURRENT_TRANSITION) for item in rule.get("NoncurrentVersionTransitions", [])
        ],
    }
    same = {name: value for name, value in rule.items() if name in _SAME}
    return {"Filter": _filter(rule)} | same | {name: part for name, part in parts.items() if part}


def _renamed(rule: Rule, names: dict[str, str]) -> Rule:
    return {new: rule[old] for old, new in names.items() if old in rule}


def _filter(rule: Rule) -> Rule:
    """One condition stands alone, several stand under `And`."""
    conditions = _renamed(rule, _FILTER)
    if "ObjectSizeGreaterThan" in conditions:
        conditions["ObjectSizeGreaterThan"] = int(conditions["ObjectSizeGreaterThan"])
    if "ObjectSizeLessThan" in conditions:
        conditions["ObjectSizeLessThan"] = int(conditions["ObjectSizeLessThan"])
    if not conditions:
        return {"Prefix": ""}
    if len(conditions) == 1 and len(conditions.get("Tags", [])) < 2:
        return {"Tag": conditions["Tags"][0]} if "Tags" in conditions else conditions
    return {"And": conditions}


def encryption(bucket: Resource) -> list[Rule] | None:
    configuration = bucket.get("BucketEncryption")
    if not configuration:
        return None
    names = {
        "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
        "BucketKeyEnabled": "BucketKeyEnabled",
    }
    return [_renamed(rule, names) for rule in configuration["ServerSideEncryptionConfiguration"]]


def _or_none(read: Callable[[], Any], missing: str) -> Any:
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] != missing:
            raise
        return None


def _lifecycle_found(clients: Clients, bucket: Resource) -> Any:
    return _or_none(
        lambda: clients.s3.get_bucket_lifecycle_configuration(Bucket=bucket.physical_id)["Rules"],
        "NoSuchLifecycleConfiguration",
    )


def _encryption_found(clients: Clients, bucket: Resource) -> Any:
    found = clients.s3.get_bucket_encryption(Bucket=bucket.physical_id)
    return found["ServerSideEncryptionConfiguration"]["Rules"]


def _public_access_found(clients: Clients, bucket: Resource) -> Any:
    return _or_none(
        lambda: clients.s3.get_public_access_block(Bucket=bucket.physical_id)["PublicAccessBlockConfiguration"],
        "NoSuchPublicAccessBlockConfiguration",
    )


SETTINGS = [
    Setting(
        types=TYPES,
        property="LifecycleConfiguration",
        wanted=lifecycle,
        found=_lifecycle_found,
        apply=lambda clients, bucket, wanted: clients.s3.put_bucket_lifecycle_configuration(
            Bucket=bucket.physical_id, LifecycleConfiguration={"Rules": wanted}
        ),
    ),
    Setting(
        types=TYPES,
        property="BucketEncryption",
        wanted=encryption,
        found=_encryption_found,
        apply=lambda clients, bucket, wanted: clients.s3.put_bucket_encryption(
            Bucket=bucket.physical_id, ServerSideEncryptionConfiguration={"Rules": wanted}
        ),
    ),
    Setting(
        types=TYPES,
        property="VersioningConfiguration",
        wanted=asked("VersioningConfiguration"),
        found=lambda clients, bucket: clients.s3.get_bucket_versioning(Bucket=bucket.physical_id),
        apply=lambda clients, bucket, wanted: clients.s3.put_bucket_versioning(
            Bucket=bucket.physical_id, VersioningConfiguration=wanted
        ),
    ),
    Setting(
        types=TYPES,
        property="PublicAccessBlockConfiguration",
        wanted=asked("PublicAccessBlockConfiguration"),
        found=_public_access_found,
        apply=lambda clients, bucket, wanted: clients.s3.put_public_access_block(
            Bucket=bucket.physical_id, PublicAccessBlockConfiguration=wanted
        ),
    ),
]
