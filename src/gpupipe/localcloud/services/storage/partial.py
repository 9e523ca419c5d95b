"""Partial answers of Cloud Storage.

A field that the answer does not have is left out in silence here; Google refuses names that no
resource has.
"""

from typing import Any

from gpupipe.localcloud.services.storage.refusals import StorageError
from gpupipe.localcloud.transport import selection


def select(fields: str, body: dict[str, Any]) -> dict[str, Any]:
    """The part of a JSON object that the parameter asks for; 400 when it cannot be read."""
    try:
        tree = selection.read(fields)
    except ValueError as error:
        message = f"Invalid field selection {fields.replace(' ', '')}"  # own words
        raise StorageError(400, "invalidParameter", message) from error
    found: dict[str, Any] = selection.kept(tree, body)
    return found
