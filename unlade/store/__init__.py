"""Object storage by URL: a local folder, S3 and what speaks like it, Google Cloud Storage, Azure. Free of Django.

`open_store` gives a `Store`; base.py says what every store promises, local.py and remote.py keep it, facts.py is what
an object says of itself, probe.py proves a store before a run, trouble.py explains refusals.
"""

from unlade.store.base import ObjectInfo, Store
from unlade.store.facts import THUMBNAIL, same_item
from unlade.store.local import LocalStore
from unlade.store.opening import open_store
from unlade.store.policy import iam_policy
from unlade.store.probe import Finding, ProbeReport

__all__ = [
    "THUMBNAIL",
    "Finding",
    "LocalStore",
    "ObjectInfo",
    "ProbeReport",
    "Store",
    "iam_policy",
    "open_store",
    "same_item",
]
