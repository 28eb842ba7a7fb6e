"""The bytes of a file on their way: in memory while they are few, on disk from there on."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from unlade.standalone.lifting import _Body


@given(chunks=st.lists(st.binary(max_size=9), max_size=8), hold=st.integers(0, 30), told=st.booleans())
def test_all_bytes_in_their_order_wherever_they_lie(chunks: list[bytes], hold: int, told: bool) -> None:
    expected = b"".join(chunks)
    with tempfile.TemporaryDirectory() as folder:
        body = _Body(Path(folder) / "1", hold)
        with closing(body):
            body.expect(len(expected) if told else None)
            for chunk in chunks:
                body.add(chunk)
                # What is known to be too large is never gathered in memory first.
                assert not (told and body.size and len(expected) > hold) or list(Path(folder).iterdir())
        whole = body.whole()
        assert body.size == len(expected)
        assert isinstance(whole, bytes) == (0 < hold >= len(expected))
        assert (whole if isinstance(whole, bytes) else whole.read_bytes()) == expected
        assert len(list(Path(folder).iterdir())) == isinstance(whole, Path)
        body.drop()
        assert list(Path(folder).iterdir()) == []
