"""Errors that nobody foresaw: written to the daemon's log under an id that the answer names."""

import logging
import secrets

from gpupipe.localcloud.errors import Code, ServiceError

_log = logging.getLogger("gpupipe.localcloud")


def log_failure(where: str, error: BaseException) -> str:
    """Log an unforeseen error with its traceback; the id that finds it again."""
    log_id = secrets.token_hex(4)
    _log.error("failure %s in %s", log_id, where, exc_info=error)
    return log_id


def internal(log_id: str) -> ServiceError:
    """What the caller is told of such an error."""
    return ServiceError(
        Code.INTERNAL, f"Internal error of the local cloud; its log has it as failure {log_id}."
    )
