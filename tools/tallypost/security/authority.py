"""The authority of a city: it signs the certificate of the broker, and the nodes trust it.

    FOLDER/authority/N.pem, N.key   authority number N and its private key (mode 0600)
    FOLDER/authority/issuer         the number of the authority that signs
    FOLDER/ca.pem                   the authorities that are trusted: two at most, the issuer first
    FOLDER/broker/broker.pem, .key  the certificate of the broker

Two authorities are trusted at once, so that they can change while nodes are on the street: first
all nodes learn the new one, then it signs the certificate of the broker. All keys are ECDSA on
P-256, and a certificate has its names in subjectAltName alone.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.inventory.inventory import write_private

TRUSTED_MAX = 2  # a node has room for two
_DAY = datetime.timedelta(days=1)
_AUTHORITY_YEARS = 20
_BROKER_DAYS = 825
RENEW_DAYS = 90  # before its end a certificate of the broker is made anew
Key = ec.EllipticCurvePrivateKey
Certificate = x509.Certificate


class Authority:
    """The authorities in `folder`. The first one is made by `open`. Raises ToolError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "authority"
        self._public = folder / "ca.pem"
        self._broker = folder / "broker"

    @classmethod
    def open(cls, folder: Path) -> Authority:
        """The authorities of a folder. Makes the first one if there is none."""
        found = cls(folder)
        if not found.numbers():
            found._make(1)
            found._set_issuer(1)
        return found

    def numbers(self) -> list[int]:
        """The numbers of the authorities that are trusted, the oldest first."""
        paths = self._folder.glob("*.pem")
        return sorted(int(path.stem) for path in paths if path.stem.isdecimal())[-TRUSTED_MAX:]

    def issuer(self) -> int:
        """The number of the authority that signs."""
        path = self._folder / "issuer"
        try:
            number = int(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise _damaged(path) from None
        if number not in self.numbers():
            raise _damaged(path)
        return number

    def trusted(self) -> list[bytes]:
        """The certificates that a node needs, DER, the issuer first."""
        return [_der(self.certificate(number)) for number in self._ordered()]

    def certificate(self, number: int) -> Certificate:
        return read_pem(self._folder / f"{number}.pem")

    def rotate(self) -> int:
        """Make the next authority. It is trusted, and does not sign yet. Returns its number.

        The oldest of three is no longer trusted. Raises ToolError if that one signs.
        """
        numbers = self.numbers()
        if len(numbers) == TRUSTED_MAX and self.issuer() == numbers[0]:
            raise ToolError(
                _("authority {old} still signs, and authority {new} waits").format(
                    old=numbers[0], new=numbers[1]
                ),
                _("First run: tallypost authority switch"),
            )
        self._make(numbers[-1] + 1)
        self._write_trusted()
        return numbers[-1] + 1

    def switch(self) -> int:
        """Let the newest authority sign, and return its number. The broker is certified anew."""
        newest = self.numbers()[-1]
        self._set_issuer(newest)
        return newest

    def _ordered(self) -> list[int]:
        issuer = self.issuer()
        return sorted(self.numbers(), key=lambda number: (number != issuer, number))

    def _make(self, number: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"Tallypost authority {number} {x509.random_serial_number() >> 130:07x}")
        usage = _usage(key_cert_sign=True, crl_sign=True)
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            _builder(
                subject,
                subject,
                key.public_key(),
                now.replace(year=now.year + _AUTHORITY_YEARS, day=1),
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(self._folder / f"{number}.key", _key_pem(key))
        write_public(self._folder / f"{number}.pem", _pem(certificate))

    def _set_issuer(self, number: int) -> None:
        write_public(self._folder / "issuer", f"{number}\n")
        self._write_trusted()

    def _write_trusted(self) -> None:
        text = "".join(_pem(self.certificate(number)) for number in self._ordered())
        write_public(self._public, text)

    # --- the broker

    def broker_certificate(self) -> Certificate | None:
        """The certificate of the broker, None if there is none."""
        path = self._broker / "broker.pem"
        return read_pem(path) if path.exists() else None

    def certify_broker(self, names: Iterable[str], again: bool = False) -> bool:
        """Make the certificate of the broker, unless the present one does. True if it is new.

        names: hosts and addresses. Those of the present certificate stay. A certificate of
        another authority is not touched.
        """
        present = self.broker_certificate()
        wanted = set(names)
        if present:
            if not self._is_ours(present):
                return False
            wanted |= set(names_of(present))
            if not again and self._suffices(present, wanted):
                return False
        if not wanted:
            return False
        number = self.issuer()
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign_broker(number, key.public_key(), sorted(wanted))
        write_private(self._broker / "broker.key", _key_pem(key))
        write_public(self._broker / "broker.pem", _pem(certificate))
        return True

    def _is_ours(self, certificate: Certificate) -> bool:
        subjects = [read_pem(path).subject for path in self._folder.glob("*.pem")]
        return certificate.issuer in subjects

    def _suffices(self, certificate: Certificate, wanted: set[str]) -> bool:
        left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        is_current = certificate.issuer == self.certificate(self.issuer()).subject
        has_key = (self._broker / "broker.key").exists()
        return (
            is_current and has_key and left > RENEW_DAYS * _DAY
            and wanted <= set(names_of(certificate))
        )  # fmt: skip

    def _sign_broker(
        self, number: int, public: ec.EllipticCurvePublicKey, names: list[str]
    ) -> Certificate:
        issuer, key = self.certificate(number), self._key(number)
        until = datetime.datetime.now(datetime.UTC) + _BROKER_DAYS * _DAY
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        return (
            _builder(_name("Tallypost broker"), issuer.subject, public, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .add_extension(x509.SubjectAlternativeName(map(_general, names)), critical=False)
            .add_extension(authority, critical=False)
            .sign(key, hashes.SHA256())
        )

    def _key(self, number: int) -> Key:
        path = self._folder / f"{number}.key"
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError):
            raise _damaged(path) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _damaged(path)
        return key


def names_of(certificate: Certificate) -> list[str]:
    """The hosts and addresses in subjectAltName."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return found.get_values_for_type(x509.DNSName) + addresses


def read_pem(path: Path) -> Certificate:
    """The first certificate of a file. Raises ToolError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise _damaged(path) from None


def write_public(path: Path, text: str) -> None:
    """Write a file that everybody may read, whole or not at all. Raises ToolError."""
    write_private(path, text)
    path.chmod(0o644)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise ToolError(
            _("mqtt_host = {host}: no certificate can have this name").format(host=repr(name)),
            _("Use a host name in ASCII, or an address."),
        ) from error


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey,
    until: datetime.datetime,
) -> x509.CertificateBuilder:  # fmt: skip
    # The clock of this machine may be ahead of those of the nodes: valid since yesterday.
    since = datetime.datetime.now(datetime.UTC) - _DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(
    digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature, False, False, False, False, key_cert_sign, crl_sign, False, False
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _der(certificate: Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _key_pem(key: Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()  # fmt: skip


def _damaged(path: Path) -> ToolError:
    return ToolError(
        _("{path}: the file is missing or damaged").format(path=path),
        _("Restore the folder of tallypost provision --out from a backup."),
    )
