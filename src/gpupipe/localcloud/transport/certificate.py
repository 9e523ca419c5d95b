"""The certificate with which the HTTP listener speaks for Google's hosts to its own clients.

Made anew for each run. Its key is never kept; nobody trusts it but who is given its file.
"""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gpupipe.localcloud.kernel.secret_file import write_secret

_NAMES = ("*.googleapis.com",)
_DAY = timedelta(days=1)


def server_context(place: Path) -> ssl.SSLContext:
    """What a server of that certificate needs; the certificate itself is left in `place`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(key).public_bytes(serialization.Encoding.PEM)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The library reads keys from files alone; this one is ours alone, and gone at once.
    with tempfile.NamedTemporaryFile(dir=place.parent) as file:
        file.write(certificate + _bytes(key))
        file.flush()
        context.load_cert_chain(file.name)
    write_secret(place, certificate)
    return context


def _signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpupipe local cloud")])
    names = x509.SubjectAlternativeName([x509.DNSName(one) for one in _NAMES])
    # Clients judge it by the machine's time, not by the local cloud's.
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 365 * _DAY)
        .add_extension(names, critical=False)
        # It vouches for itself alone: its key could sign no other one.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )


def _bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
