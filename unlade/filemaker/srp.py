"""The client's half of Secure Remote Password, as Amazon Cognito speaks it: a password is proved and never sent.

The group is RFC 5054's of 3072 bits, the hash SHA-256. Numbers enter hashes as big-endian two's complement, that is
with a zero byte in front where the highest bit is set (amazon-cognito-identity-js, the client that Claris itself names:
FILEMAKER.md 1.5). pycognito, whose arithmetic is known to satisfy the real service, must come to the same numbers: a
test holds us to it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime

N = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
G = 2


def padded(number: int) -> bytes:
    """A number that is not negative, as it enters a hash."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest(), "big")


K = _number(padded(N), padded(G))


def _private(group: str, name: str, password: str, salt: int) -> int:
    return _number(padded(salt), hashlib.sha256(f"{group}{name}:{password}".encode()).digest())


class Proof:
    """One proof under way. `random` gives so many unforeseeable bytes."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._secret = int.from_bytes(random(128), "big") % N
        self.public = pow(G, self._secret, N)

    @property
    def opening(self) -> str:
        """What the server is told first (`SRP_A`)."""
        return f"{self.public:x}"

    def signature(
        self, group: str, name: str, password: str, *, salt: str, server: str, secret_block: str, timestamp: str
    ) -> str:
        """The signature that only who knows `password` can make, in Base64.

        `group` and `name` are the pool's short name and its own name for the user, or a device group's key and the
        device's; `salt` and `server` (`SRP_B`) come in hex, `secret_block` in Base64. Raises `ValueError` for what no
        honest server sends.
        """
        theirs = int(server, 16)
        if theirs % N == 0:
            raise ValueError("the server's number is a multiple of the prime")
        scrambler = _number(padded(self.public), padded(theirs))
        private = _private(group, name, password, int(salt, 16))
        shared = pow(theirs - K * pow(G, private, N), self._secret + scrambler * private, N)
        extracted = hmac.digest(padded(scrambler), padded(shared), "sha256")
        key = hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]
        message = f"{group}{name}".encode() + base64.b64decode(secret_block) + timestamp.encode()
        return base64.b64encode(hmac.digest(key, message, "sha256")).decode()


def verifier(group: str, name: str, password: str, random: Callable[[int], bytes]) -> tuple[str, str]:
    """What a server is to keep instead of a device's password, and the salt to it; both in Base64."""
    salt = int.from_bytes(random(16), "big")
    value = pow(G, _private(group, name, password, salt), N)
    return base64.b64encode(padded(value)).decode(), base64.b64encode(padded(salt)).decode()


def timestamp(now: datetime) -> str:
    """`Wed Nov 5 08:00:00 UTC 2026`, whatever this machine's language: the day has no leading zero."""
    now = now.astimezone(UTC)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[now.weekday()]
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[now.month - 1]
    return f"{day} {month} {now.day} {now:%H:%M:%S} UTC {now.year}"
