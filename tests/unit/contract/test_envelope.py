"""An envelope is authentic as it was sealed, byte by byte, and not otherwise."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract.envelope import (
    ENVELOPE_BYTES,
    Certificate,
    Envelope,
    EnvelopeRefused,
    certify,
    open_certificate,
    open_envelope,
    payload_hash,
    public_text,
    seal,
)
from contract.event_chain import signed_payload
from tests.signing import ROOT, ROOT_KEY, SIGNER

GOLDEN = Path(__file__).with_name("golden")
AT = datetime(2026, 4, 12, 5, 41, 7, tzinfo=UTC)
PAYLOAD = '{"event_id":"0195d0a1-0000-7000-8000-000000000001","name":"野猪 0041.JPG"}'
CERTIFICATE = Certificate(
    number=3,
    key=public_text(SIGNER.public_key().public_bytes_raw()),
    issued=AT - timedelta(days=1),
    expires=AT + timedelta(days=365),
)
ENVELOPE = Envelope(
    station="lake-07",
    serial=41,
    issued=AT,
    expires=AT + timedelta(days=1),
    nonce="0123456789abcdef" * 2,
    kind="media",
    payload=PAYLOAD,
    payload_sha256=payload_hash(PAYLOAD),
    certificate=certify(ROOT.sign, CERTIFICATE),
)


def changed(**values: Any) -> Envelope:
    return msgspec.structs.replace(ENVELOPE, **values)


def refused(data: bytes) -> str:
    with pytest.raises(EnvelopeRefused) as error:
        open_envelope(data, ROOT_KEY)
    return error.value.reason


def test_an_envelope_and_its_certificate_have_the_bytes_that_they_had() -> None:
    assert seal(ENVELOPE, SIGNER.sign) == (GOLDEN / "envelope-1.json").read_bytes()
    assert certify(ROOT.sign, CERTIFICATE).encode() == (GOLDEN / "signing-key-1.json").read_bytes()


def test_the_golden_envelope_is_authentic() -> None:
    envelope, certificate = open_envelope((GOLDEN / "envelope-1.json").read_bytes(), ROOT_KEY)
    assert msgspec.structs.replace(envelope, signature=msgspec.UNSET) == ENVELOPE
    assert msgspec.structs.replace(certificate, signature=msgspec.UNSET) == CERTIFICATE
    assert open_certificate((GOLDEN / "signing-key-1.json").read_text(), ROOT_KEY).number == 3


@pytest.mark.parametrize("at", range(0, len(seal(ENVELOPE, SIGNER.sign)), 7))
def test_no_byte_can_be_changed(at: int) -> None:
    sealed = bytearray(seal(ENVELOPE, SIGNER.sign))
    sealed[at] ^= 1
    with pytest.raises(EnvelopeRefused):
        open_envelope(bytes(sealed), ROOT_KEY)


def test_a_key_without_a_certificate_of_the_root_signs_nothing() -> None:
    thief = Ed25519PrivateKey.generate()
    own = msgspec.structs.replace(CERTIFICATE, key=public_text(thief.public_key().public_bytes_raw()))
    assert refused(seal(ENVELOPE, thief.sign)) == "signature"
    assert refused(seal(changed(certificate=certify(thief.sign, own)), thief.sign)) == "root"
    assert refused(seal(changed(certificate=certify(SIGNER.sign, own)), thief.sign)) == "root"


def test_the_payload_has_the_hash_that_is_signed() -> None:
    assert refused(seal(changed(payload=PAYLOAD + " "), SIGNER.sign)) == "hash"


@pytest.mark.parametrize(
    "values",
    [
        {"station": "../lake"},
        {"serial": 0},
        {"serial": 2**53 + 1},
        {"nonce": "short"},
        {"kind": "rm -rf"},
        {"payload": "x" * 8_001},
        {"certificate": "x" * 1_001},
        {"expires": AT},
        {"expires": AT + timedelta(days=91)},
        {"issued": datetime(1, 1, 1, tzinfo=UTC), "expires": datetime(1, 1, 2, tzinfo=UTC)},
        {"unknown": "field"},
    ],
)
def test_what_is_out_of_bounds_is_refused_although_it_is_signed(values: dict[str, Any]) -> None:
    fields = msgspec.json.decode(msgspec.json.encode(ENVELOPE)) | values
    assert refused(signed_payload(msgspec.json.encode(fields), SIGNER.sign)) == "form"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff\xfe", b"[" * 100_000, b" " * (ENVELOPE_BYTES + 1), b'{"form":"envelope-2"}']
)
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    assert refused(data) == "form"


def test_a_certificate_is_no_envelope_and_an_envelope_no_certificate() -> None:
    assert refused(certify(ROOT.sign, CERTIFICATE).encode()) == "form"
    with pytest.raises(EnvelopeRefused, match="form"):
        open_certificate(seal(ENVELOPE, ROOT.sign).decode(), ROOT_KEY)
