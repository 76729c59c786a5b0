"""Creates a private certificate authority and the broker's certificate, which stations verify when they connect."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from contract.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_AUTHORITY_DAYS = 20 * 365  # long, because replacing it requires a visit to every station
_BROKER_DAYS = 5 * 365


class CertificateError(InvalidInput):
    """A certificate cannot be created; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both in PEM."""

    certificate: bytes
    key: bytes


def make_authority(name: str, now: datetime | None = None) -> Pair:
    """Create a certificate authority that signs only the broker's certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    begin = (now or datetime.now(UTC)) - timedelta(days=1)  # a station's clock may be behind
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=_AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pair(certificate, key, key)


def make_broker_certificate(authority: Pair, hosts: Sequence[str], now: datetime | None = None) -> Pair:
    """Create the broker's TLS certificate and its private key.

    Args:
        authority: The authority that signs it.
        hosts: Host names and addresses that stations use for the broker.
        now: The current time; None: this machine's clock.

    Raises:
        CertificateError: no host is given, or the authority's key is not an elliptic curve key.
    """
    if not hosts:
        raise CertificateError("no host: expected the host names or addresses that stations use for the broker")
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = x509.SubjectAlternativeName([_name(host) for host in hosts])
    return _signed(authority, hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names, now)


def make_client_certificate(authority: Pair, name: str, now: datetime | None = None) -> Pair:
    """Create a certificate for a client of a listener that demands one, and its private key.

    Args:
        authority: The authority that signs it.
        name: Common name of the client.
        now: The current time; None: this machine's clock.
    """
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return _signed(authority, name, ExtendedKeyUsageOID.CLIENT_AUTH, None, now)


def _signed(
    authority: Pair,
    name: str,
    usage: "x509.ObjectIdentifier",
    names: "x509.SubjectAlternativeName | None",
    now: datetime | None,
) -> Pair:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    signer = x509.load_pem_x509_certificate(authority.certificate)
    signing_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise CertificateError(
            "the authority's key has the wrong type: expected an elliptic curve key, as init creates"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    begin = (now or datetime.now(UTC)) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(min(begin + timedelta(days=_BROKER_DAYS), signer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
    )
    if names is not None:
        certificate = certificate.add_extension(names, critical=False)
    return _pair(certificate, key, signing_key)


def expires_at(certificate: Path) -> datetime:
    """Return the expiry time (UTC) of a certificate file."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


def hosts_of(certificate: Path) -> list[str]:
    """Return the host names and addresses for which a broker's certificate file is valid."""
    from cryptography import x509

    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def _name(host: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(signs: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(
    certificate: "x509.CertificateBuilder", key: "ec.EllipticCurvePrivateKey", signing_key: "ec.EllipticCurvePrivateKey"
) -> Pair:
    from cryptography.hazmat.primitives import hashes, serialization

    signed = certificate.sign(signing_key, hashes.SHA256())
    return Pair(
        signed.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
