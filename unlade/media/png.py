"""The checksums of a PNG's chunks: Pillow does not look at those of the picture's data, browsers refuse a wrong one."""

from __future__ import annotations

import zlib
from pathlib import Path

from unlade.media.decode import Damaged

_SIGNATURE = 8
_PIECE = 1 << 18


def check_chunks(path: Path) -> None:
    """Raise `Damaged` when a critical chunk's checksum is wrong. A missing end is left to the decoder to judge."""
    with path.open("rb") as file:
        file.seek(_SIGNATURE)
        while len(head := file.read(8)) == 8:
            left, kind = int.from_bytes(head[:4]), head[4:]
            check = zlib.crc32(kind)
            while left and (piece := file.read(min(left, _PIECE))):
                check = zlib.crc32(piece, check)
                left -= len(piece)
            stated = file.read(4)
            if left or len(stated) < 4 or kind == b"IEND":
                return
            critical = not kind[0] & 0x20  # PNG specification, 5.4: an upper-case first letter
            if critical and check != int.from_bytes(stated):
                raise Damaged("the picture's data is broken: a checksum is wrong")
