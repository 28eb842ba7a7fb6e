"""Ports, as the tests of whole runs have them."""

from tests.voyage.conftest import make_port, pool

__all__ = ["make_port", "pool"]
