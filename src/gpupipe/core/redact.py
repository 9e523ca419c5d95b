"""Takes secrets out of text before it is written anywhere."""

import re

_SECRETS = (
    # bearer tokens in headers or in the text of an error
    (re.compile(r"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1[redacted]"),
    # JSON web tokens
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), "[redacted]"),
    # Google's access tokens
    (re.compile(r"ya29\.[A-Za-z0-9._-]+"), "[redacted]"),
    # private keys, as lines or escaped in JSON
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
     "[redacted]"),
    # fields that carry a secret by name
    (
        re.compile(r"(?i)(\"?(?:refresh_token|access_token|client_secret|private_key)\"?\s*[:=]\s*)"
                   r"(?:\"(?:[^\"\\]|\\.)*\"|\"?[^\s\",}]+)"),
        r"\1[redacted]",
    ),
)  # fmt: skip


def redact(text: str) -> str:
    """`text` without tokens, keys and JSON web tokens."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text
