"""How often object keys are referred to, in little memory: 4 bytes a number, so that a million stay small."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from unlade.fmp12.tokens import decode_integer, encode_integer

_ODD_KEPT = 100_000


class KeyCounts:
    """Counts by key. Keys that are no integers are kept as they are, up to a limit."""

    def __init__(self) -> None:
        self._counts = array("I")
        self._odd: dict[bytes, int] = {}

    def add(self, key: bytes) -> None:
        number = decode_integer(key)
        if number is None:
            if key in self._odd or len(self._odd) < _ODD_KEPT:
                self._odd[key] = self._odd.get(key, 0) + 1
            return
        if number >= len(self._counts):
            self._counts.frombytes(bytes(4 * (number + 1024 - len(self._counts))))
        self._counts[number] += 1

    def get(self, key: bytes) -> int:
        """How often `key` was added."""
        number = decode_integer(key)
        if number is None:
            return self._odd.get(key, 0)
        return self._counts[number] if number < len(self._counts) else 0

    def not_in(self, other: KeyCounts) -> Iterator[bytes]:
        """Keys that were added here and not in `other`."""
        for number, count in enumerate(self._counts):
            if count and not (number < len(other._counts) and other._counts[number]):
                yield encode_integer(number)
        yield from (key for key in self._odd if key not in other._odd)


class IdSet:
    """Record ids, a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self.count = 0

    def add(self, number: int) -> None:
        """Add an id (never above 2.2 million, by the form of keys)."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1024 - len(self._bits)))
        self.count += not self._bits[place] & bit
        self._bits[place] |= bit

    def __contains__(self, number: int) -> bool:
        return number >> 3 < len(self._bits) and bool(self._bits[number >> 3] >> (number & 7) & 1)
