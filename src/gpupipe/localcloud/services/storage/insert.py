"""What an insert asks for, whatever way its data comes."""

from gpupipe.localcloud.services.storage import fields, preconditions
from gpupipe.localcloud.services.storage.message import Inbound, Json
from gpupipe.localcloud.services.storage.names import check_object_name
from gpupipe.localcloud.services.storage.refusals import bad_request
from gpupipe.localcloud.services.storage.writes import NewObject


def new_object(request: Inbound, metadata: Json, content_type: str | None) -> NewObject:
    """What an insert wants to write; the name may be in the query or in the metadata."""
    named = metadata.get("name")
    name = request.query.get("name") or named
    if named and named != name:
        raise bad_request("The object name in the query and in the metadata differ.")
    filled = dict(metadata)
    if content_type and not filled.get("contentType"):
        filled["contentType"] = content_type
    encoding = request.query.get("contentEncoding")
    if encoding and not filled.get("contentEncoding"):
        filled["contentEncoding"] = encoding
    fields.check_fields(filled)
    return NewObject(
        request.caller,
        request.bucket,
        check_object_name(name),
        filled,
        preconditions.from_query(request),
    )
