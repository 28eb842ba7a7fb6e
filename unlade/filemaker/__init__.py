"""Speaks to a FileMaker host over the Data API. No Django; nothing here can write but `edit.DataApiMarkerWriter`.

From below: `meter` counts bytes, `transport` is HTTP, `exchange` books and passes the gate, `session` signs in, `api`
re-signs and retries, `metadata` and `records` and `containers` ask, `source` is the seam's `Source`.
"""

from unlade.filemaker.config import FileMakerConfig
from unlade.filemaker.containers import ContainerPolicy
from unlade.filemaker.metadata import Layout, LayoutField, ProductInfo
from unlade.filemaker.source import DataApiSource, Weight

__all__ = ["ContainerPolicy", "DataApiSource", "FileMakerConfig", "Layout", "LayoutField", "ProductInfo", "Weight"]
