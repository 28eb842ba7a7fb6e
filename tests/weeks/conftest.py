"""The ports of whole runs."""

from tests.voyage.conftest import make_port, pool

__all__ = ["make_port", "pool"]
