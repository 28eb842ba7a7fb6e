"""The ports of whole runs, for this room too."""

from tests.voyage.conftest import any_port, make_big_port, make_port, pool, s3

__all__ = ["any_port", "make_big_port", "make_port", "pool", "s3"]
