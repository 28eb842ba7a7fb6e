"""A simulator of FileMaker Server's Data API, built from the published protocol alone.

    with Simulator(data_set, streaming="protected") as host:
        ...host.url, host.account, host.password...

`python -m fmsim` serves the same in a process of its own.
"""

from fmsim.dataset import (
    Account,
    Blob,
    BytesBlob,
    ContainerValue,
    DataSet,
    Field,
    FileBlob,
    GeneratedBlob,
    Layout,
    Record,
    Script,
)
from fmsim.simulator import Simulator

__all__ = [
    "Account",
    "Blob",
    "BytesBlob",
    "ContainerValue",
    "DataSet",
    "Field",
    "FileBlob",
    "GeneratedBlob",
    "Layout",
    "Record",
    "Script",
    "Simulator",
]
