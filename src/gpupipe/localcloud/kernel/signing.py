"""Identity tokens: RS256 JSON web tokens, signed with a key that stays in a 0600 file.

Only what the local cloud needs of RFC 7515 and 7519: one algorithm, one key, compact form.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gpupipe.localcloud.kernel.secret_file import keep_secret

_BITS = 2048
_EXPONENT = 65537


class TokenError(ValueError):
    """A token that is malformed, or not signed by our key; the text says which."""


class Signer:
    """Signs and verifies with the key in `path`, made on first use."""

    def __init__(self, path: Path) -> None:
        key = serialization.load_pem_private_key(keep_secret(path, _new_key), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{path} does not hold an RSA key")
        self._key = key
        self._public = key.public_key()
        self.key_id = hashlib.sha256(self._public_der()).hexdigest()[:40]

    def sign(self, claims: Mapping[str, Any]) -> str:
        """The compact token of these claims."""
        header = {"alg": "RS256", "kid": self.key_id, "typ": "JWT"}
        signed = f"{_encoded(header)}.{_encoded(claims)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that we signed; TokenError otherwise. Times are not looked at."""
        signed, _, signature = token.rpartition(".")
        head, _, body = signed.partition(".")
        if _decoded(head).get("alg") != "RS256":
            raise TokenError("the token is not signed with RS256")
        try:
            self._public.verify(
                _bytes(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature as error:
            raise TokenError("the signature does not match") from error
        return _decoded(body)

    def public_keys(self) -> dict[str, Any]:
        """The key set that verifies our tokens (RFC 7517)."""
        numbers = self._public.public_numbers()
        key = {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.key_id,
            "n": _base64(numbers.n.to_bytes(_BITS // 8)),
            "e": _base64(numbers.e.to_bytes(3)),
        }
        return {"keys": [key]}

    def _public_der(self) -> bytes:
        return self._public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def _new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _encoded(value: Mapping[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenError("it is not a JSON web token") from error


def _decoded(text: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(text))
    except ValueError as error:
        raise TokenError("it is not a JSON web token") from error
    if not isinstance(value, dict):
        raise TokenError("it is not a JSON web token")
    return value
