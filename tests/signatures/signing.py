"""A signer of our own, written after RFC 6376 and RFC 8617 and not after dkimpy, so that each checks the other.

RSA keys are made here from a fixed seed: they protect nothing.
"""

from __future__ import annotations

import random
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

CRLF = b"\r\n"
_SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


@dataclass(frozen=True)
class Key:
    """An RSA key pair. record: what DNS says of it."""

    modulus: int
    exponent: int
    private: int
    first: int
    second: int

    @property
    def record(self) -> str:
        return f"v=DKIM1; k=rsa; p={b64encode(self.public_der).decode()}"

    @property
    def public_der(self) -> bytes:
        algorithm = _der(0x30, bytes.fromhex("06092a864886f70d010101") + b"\x05\x00")
        return _der(0x30, algorithm + _der(0x03, b"\x00" + _numbers(self.modulus, self.exponent)))

    @property
    def pem(self) -> bytes:
        """PKCS #1, as dkimpy takes it."""
        p, q, d = self.first, self.second, self.private
        der = _numbers(0, self.modulus, self.exponent, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
        return b"-----BEGIN RSA PRIVATE KEY-----\n" + b64encode(der) + b"\n-----END RSA PRIVATE KEY-----\n"

    def sign(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2.1), in base64."""
        size = (self.modulus.bit_length() + 7) // 8
        info = _SHA256_INFO + sha256(data).digest()
        block = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
        return b64encode(pow(int.from_bytes(block), self.private, self.modulus).to_bytes(size))


@cache
def key(bits: int = 1024, seed: int = 7) -> Key:
    source = random.Random(f"{bits} {seed}")
    while True:
        p, q = _prime(bits // 2, source), _prime(bits // 2, source)
        if p != q and (p - 1) % 65537 and (q - 1) % 65537 and (p * q).bit_length() == bits:
            return Key(p * q, 65537, pow(65537, -1, (p - 1) * (q - 1)), p, q)


def _prime(bits: int, source: random.Random) -> int:
    while True:
        number = source.getrandbits(bits) | 1 | 3 << (bits - 2)
        if all(number % small for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31)) and _passes(number, source):
            return number


def _passes(number: int, source: random.Random) -> bool:
    """Miller-Rabin, 20 rounds."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        x = pow(source.randrange(2, number - 1), odd, number)
        if x not in (1, number - 1) and not any((x := x * x % number) == number - 1 for _ in range(twos - 1)):
            return False
    return True


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2)
    return bytes([tag]) + length + content


def _numbers(*numbers: int) -> bytes:
    return _der(0x30, b"".join(_der(0x02, number.to_bytes(number.bit_length() // 8 + 1)) for number in numbers))


# Messages


def split(message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    header, _, body = message.partition(CRLF + CRLF)
    fields = re.findall(rb"([^\r\n:]+):((?:[^\r]|\r\n[ \t])*)\r\n", header + CRLF)
    return [(name, value) for name, value in fields], body


def relaxed(name: bytes, value: bytes) -> bytes:
    """RFC 6376 section 3.4.2."""
    return name.lower() + b":" + b" ".join(value.split())


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(CRLF)]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + CRLF for line in lines)


def body_hash(body: bytes) -> str:
    return b64encode(sha256(relaxed_body(body)).digest()).decode()


SIGNED = ("from", "to", "subject", "date", "message-id", "from")


def field(message: bytes, name: bytes, tags: dict[str, str], by: Key, names: tuple[str, ...] = SIGNED) -> bytes:
    """A signature field *name* over *message*, relaxed/relaxed. tags: in order, over those that are usual."""
    fields, body = split(message)
    usual = {"a": "rsa-sha256", "c": "relaxed/relaxed", "h": ":".join(names), "bh": body_hash(body)}
    listed = {**tags, **{tag: value for tag, value in usual.items() if tag not in tags}}
    value = b" " + "; ".join(f"{tag}={text}" for tag, text in listed.items()).encode() + b";\r\n\tb="
    left, chosen = list(fields), []
    for wanted in names:
        at = next((at for at in reversed(range(len(left))) if left[at][0].lower() == wanted.encode()), None)
        if at is not None:
            chosen.append(relaxed(*left.pop(at)) + CRLF)
    return name + b":" + value + by.sign(b"".join(chosen) + relaxed(name, value)) + CRLF


def dkim_signed(message: bytes, by: Key, names: tuple[str, ...] = SIGNED, **tags: str) -> bytes:
    return (
        field(message, b"DKIM-Signature", {"v": "1", "d": "relay.example", "s": "sel2026", **tags}, by, names) + message
    )


def sealed(
    message: bytes,
    by: Key,
    results: str,
    *,
    instance: int = 1,
    domain: str = "relay.example",
    names: tuple[str, ...] = SIGNED,
    before: str = "",
    **seal: str,
) -> bytes:
    """One ARC set more on top of *message*: results are what stands behind the instance, *before* in front of it.

    names: what the message signature covers. seal: tags of the seal.
    """
    fields, _ = split(message)
    number = {"i": str(instance), "d": domain, "s": "arc-2026"}
    record = f"ARC-Authentication-Results: {before}i={instance}; {results}".encode() + CRLF
    signature = field(message, b"ARC-Message-Signature", number, by, names)
    below = [
        relaxed(name, value)
        for earlier in range(1, instance)
        for kind in (b"arc-authentication-results", b"arc-message-signature", b"arc-seal")
        for name, value in fields
        if name.lower() == kind and re.search(rb"\bi=%d;" % earlier, value)
    ]
    tags = {"a": "rsa-sha256", **number, "cv": "none" if instance == 1 else "pass", **seal}
    value = b" " + "; ".join(f"{tag}={text}" for tag, text in tags.items()).encode() + b"; b="
    new = [relaxed(*split(text + CRLF)[0][0]) for text in (record, signature)]
    signed = by.sign(CRLF.join([*below, *new, relaxed(b"ARC-Seal", value)]))
    return b"ARC-Seal:" + value + signed + CRLF + signature + record + message
