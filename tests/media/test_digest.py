import hashlib
from pathlib import Path

from unlade.media import Digest, digest_file


def test_a_digest_fed_in_pieces_is_that_of_the_whole() -> None:
    digest = Digest()
    for piece in (b"unl", bytearray(b""), memoryview(b"ade"), memoryview(bytes(8)).cast("I")):
        digest.update(piece)
    whole = b"unlade" + bytes(8)
    assert (digest.size, digest.sha256, digest.md5) == (
        14,
        hashlib.sha256(whole).hexdigest(),
        hashlib.md5(whole).hexdigest(),
    )


def test_a_file_larger_than_one_read_is_digested_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000 + b"end"
    (tmp_path / "f").write_bytes(data)
    digest = digest_file(tmp_path / "f")
    assert (digest.size, digest.sha256) == (len(data), hashlib.sha256(data).hexdigest())
