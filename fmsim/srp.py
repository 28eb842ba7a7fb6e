"""The server's half of Secure Remote Password as Amazon Cognito speaks it (RFC 5054's 3072-bit group, SHA-256).

Source: the published amazon-cognito-identity-js, whose numbers go over the wire and into hashes as Java's BigInteger
writes them: big-endian, two's complement, so a leading zero byte where the highest bit is set.
"""

from __future__ import annotations

import hashlib
import hmac

PRIME = int(
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
GENERATOR = 2


def java_bytes(number: int) -> bytes:
    """As BigInteger.toByteArray() of a number that is not negative."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest(), "big")


MULTIPLIER = _hash(java_bytes(PRIME), java_bytes(GENERATOR))


def verifier(group: str, name: str, password: str, salt: int) -> int:
    """What a server keeps instead of a password."""
    inner = hashlib.sha256(f"{group}{name}:{password}".encode()).digest()
    return pow(GENERATOR, _hash(java_bytes(salt), inner), PRIME)


class Exchange:
    """One sign-in by SRP, from the server's side.

    Args:
        group, name: the pool's short name and the user, or a device group's key and the device's.
        verifier, salt: of the password.
        client_value: A, as the client sent it.
        secret: b, the server's own random number.

    Raises:
        ValueError: a client value that is a multiple of the prime.
    """

    def __init__(self, group: str, name: str, verifier: int, salt: int, client_value: int, secret: int) -> None:
        if client_value % PRIME == 0:
            raise ValueError("SRP_A")
        self._who, self.salt = f"{group}{name}".encode(), salt
        self.value = (MULTIPLIER * verifier + pow(GENERATOR, secret, PRIME)) % PRIME
        scrambler = _hash(java_bytes(client_value), java_bytes(self.value))
        shared = pow(client_value * pow(verifier, scrambler, PRIME), secret, PRIME)
        extracted = hmac.digest(java_bytes(scrambler), java_bytes(shared), "sha256")
        self._key = hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]

    def signature(self, secret_block: bytes, timestamp: str) -> bytes:
        """What only a client that knows the password can send."""
        return hmac.digest(self._key, self._who + secret_block + timestamp.encode(), "sha256")
