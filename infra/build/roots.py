"""Lays certifi's roots out as OpenSSL looks them up: one file for each, named by the hash of its subject.

A TLS context that is given such a folder reads the one or two roots that a handshake needs. Given the file of all
roots, it parses them all first (27 ms of CPU).
"""

import hashlib
import re
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = "roots"
"""The folder beside ``cacert.pem``. provisioner/tls.py reads it."""

CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)

# Tags of ASN.1 (ITU-T X.690).
VERSION, SEQUENCE, SET = 0xA0, 0x30, 0x31
UTF8_STRING = 0x0C
ENCODINGS = {
    UTF8_STRING: "utf-8",
    **dict.fromkeys((0x13, 0x14, 0x16, 0x1A), "latin-1"),  # PrintableString, T61String, IA5String, VisibleString
    0x1C: "utf-32-be",  # UniversalString
    0x1E: "utf-16-be",  # BMPString
}


class Element(NamedTuple):
    """An element of DER."""

    tag: int
    content: bytes

    def to_der(self) -> bytes:
        size = len(self.content)
        length = size.to_bytes((size.bit_length() + 7) // 8 or 1)
        return bytes([self.tag, *([] if size < 0x80 else [0x80 | len(length)])]) + length + self.content


def lay_out_roots(certifi: Path) -> None:
    """Write every certificate of ``cacert.pem`` into the folder ``roots`` beside it."""
    folder = certifi / FOLDER
    folder.mkdir()
    seen: Counter[str] = Counter()
    for pem in CERTIFICATE.findall((certifi / "cacert.pem").read_text(encoding="utf-8")):
        name = subject_hash(ssl.PEM_cert_to_DER_cert(pem))
        (folder / f"{name}.{seen[name]}").write_text(pem, encoding="ascii")
        seen[name] += 1


def subject_hash(certificate: bytes) -> str:
    """Return the hash of a certificate's subject, as OpenSSL's ``X509_NAME_hash`` does (crypto/x509/x_name.c).

    It is the start of the SHA-1 of the subject's canonical form: the relative names without their frame, each text as
    UTF-8, in lower case, with single spaces.
    """
    [outer] = elements(certificate)
    signed, *_ = elements(outer.content)
    fields = [field for field in elements(signed.content) if field.tag != VERSION]
    _serial, _algorithm, _issuer, _validity, subject, *_ = fields
    canonical = b"".join(_canonical(each).to_der() for each in elements(subject.content))
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _canonical(element: Element) -> Element:
    if element.tag in {SEQUENCE, SET}:
        return Element(element.tag, b"".join(_canonical(each).to_der() for each in elements(element.content)))
    if element.tag not in ENCODINGS:
        return element
    text = element.content.decode(ENCODINGS[element.tag]).encode()
    return Element(UTF8_STRING, b" ".join(text.split()).lower())  # of bytes: only ASCII letters and spaces change


def elements(der: bytes) -> Iterator[Element]:
    """Yield the elements that follow one another."""
    while der:
        tag, size, start = der[0], der[1], 2
        if size & 0x80:
            start += size & 0x7F
            size = int.from_bytes(der[2:start])
        yield Element(tag, der[start : start + size])
        der = der[start + size :]
