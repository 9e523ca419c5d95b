"""Secrets do not get out."""

import pytest

from gpupipe.core.redact import redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("authorization: bearer abcdefgh12345678==", "abcdefgh12345678"),
        (f"token {JWT} refused", JWT),
        ("got ya29.a0AfH6SMB-_x.y", "a0AfH6SMB"),
        ('{"refresh_token": "1//0abc-def", "x": 1}', "1//0abc-def"),
        ('{"access_token":"opaque-value"}', "opaque-value"),
        ('{"access_token":"cut-off-va', "cut-off-va"),
        ('"client_secret": "with a space"', "a space"),
        ("client_secret=GOCSPX-abc", "GOCSPX-abc"),
        ("refresh_token: 1//0abc", "1//0abc"),
        (
            '"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----\\n"',
            "MIIEvQ",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\nabc=\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ],
)
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "The bearer of bad news",
        "projects/demo-project/locations/us-central1/services/ml-pipeline-preprocess",
        "Bucket ml-pipeline-input-demo-project does not exist",
        "The access token has expired",
        '{"status": "ok", "token_count": 12}',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert redact('{"access_token": "abc", "expires_in": 3599}') == (
        '{"access_token": [redacted], "expires_in": 3599}'
    )


def test_redacting_twice_changes_nothing() -> None:
    once = redact(f"Bearer abcdefgh12345678 {JWT} access_token=abc")
    assert redact(once) == once
