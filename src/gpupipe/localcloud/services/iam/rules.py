"""What a request about service accounts must look like."""

import re
from collections.abc import Collection

from gpupipe.localcloud.errors import invalid_argument

_NAME = re.compile(r"projects/([^/]+)/serviceAccounts/([^/]+)")
# google.iam.admin.v1 ServiceAccount: limits in bytes of UTF-8
_MOST_DISPLAY_NAME = 100
_MOST_DESCRIPTION = 256
_CHANGEABLE = frozenset({"display_name", "description"})


def parts(name: str) -> tuple[str, str]:
    """(project or "-", address or unique id) of an account's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise invalid_argument(
            f"Invalid service account name {name!r}: expected "
            "projects/PROJECT/serviceAccounts/ACCOUNT.",
            "name",
        )
    return match[1], match[2]


def check_texts(display_name: str, description: str) -> None:
    """Refuse texts that are longer than the API takes."""
    for path, text, most in (
        ("display_name", display_name, _MOST_DISPLAY_NAME),
        ("description", description, _MOST_DESCRIPTION),
    ):
        if len(text.encode()) > most:
            raise invalid_argument(
                f"The {path} is longer than {most} bytes.", f"service_account.{path}"
            )


def check_mask(paths: Collection[str]) -> None:
    """Refuse an empty mask and fields that cannot be changed."""
    if not paths:
        raise invalid_argument("The update mask is required.", "update_mask")
    for path in paths:
        if path not in _CHANGEABLE:
            raise invalid_argument(f"The field {path!r} cannot be changed.", "update_mask")
