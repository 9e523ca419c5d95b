"""What usually helps where a file has failed, by what the error record says."""

from collections.abc import Mapping

_GRANTS = (
    "An account lacks a grant, or one is only minutes old: `gpupipe plan` shows what is missing, "
    "`gpupipe deploy` restores it, `gpupipe executions retry` sends the file again."
)
_BY_CODE: Mapping[str, str] = {
    "status_403": _GRANTS,
    "storage_permission_denied": _GRANTS,
    "status_404": "The service or its route is gone: `gpupipe status` shows it, `gpupipe deploy` restores it.",
    "queue_wait_over": "The services had no room for so long: raise queue_wait or max_instances, then "
    "`gpupipe executions retry`.",
    "input_too_large": "The limits are settings: see limits in docs/reference/pipeline.md.",
    "too_many_items": "Cut the file into several, or raise limits.rows.",
    "too_many_pixels": "Make the picture smaller, or raise limits.image_pixels.",
    "undecodable_text": "Save the text as UTF-8 and send it again.",
    "binary_input": "The name says text and the content is none: give it the suffix that it is.",
    "invalid_json": "The file must be JSON as docs/reference/pipeline.md says; send a corrected one.",
    "broken_csv": "Correct the line that is named; quotes are read strictly.",
    "two_columns_of_a_name": "Give the columns that do not count other names.",
    "unsupported_type": "Convert the file to one of the types that are named.",
    "not_an_image": "Convert the picture to PNG or JPEG; the suffix alone does not.",
    "undecodable_image": "Save the picture anew, as PNG or JPEG, and send it again.",
    "no_text_column": "Name the column of the texts `text`, or give one cell a row.",
    "not_the_models_kind": "The model takes other files: `gpupipe model list` shows which it is.",
    "no_scores": "It is the model that fails for this file: see `gpupipe model use`, or try it in float32.",
    "not_ready": "The service could not load its model: see `gpupipe logs gpu-inference`.",
    "internal_error": "This is an error of a service: its lines below tell where.",
}
_BY_CLASS: Mapping[str, str] = {
    "input": "The file itself cannot be processed: correct it and send it again.",
    "capacity": "There was no room: `gpupipe executions retry` sends the file again.",
    "system": "See the lines of the services below; `gpupipe executions retry` sends the file again.",
}


def hint(error_class: str, code: str) -> str:
    """A sentence for people; "" where nothing is known."""
    return _BY_CODE.get(code) or _BY_CLASS.get(error_class, "")
