"""What an account must be allowed to do in the bucket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from unlade.errors import SettingsError


def iam_policy(url: str) -> str:
    """The least policy, as JSON, for an import into `url` (`s3://bucket/prefix`). Raises `SettingsError`.

    Objects can only be removed where they are probes: a run never deletes.
    """
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise SettingsError(f"{url} is no s3:// address; a policy is for AWS only.")
    prefix = parts.path.strip("/")
    inside = f"{prefix}/" if prefix else ""
    bucket = f"arn:aws:s3:::{parts.netloc}"
    listing: dict[str, Any] = {"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket}
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": [prefix, f"{inside}*"]}}
    objects = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
    statements = [
        listing,
        {"Sid": "ReadAndWrite", "Effect": "Allow", "Action": objects, "Resource": f"{bucket}/{inside}*"},
        {
            "Sid": "RemoveProbes",
            "Effect": "Allow",
            "Action": "s3:DeleteObject",
            "Resource": f"{bucket}/{inside}.unlade/probe-*",
        },
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
