"""unlade takes files out of FileMaker container fields and lands them in object storage and a Django database."""

__version__ = "0.1.0"
