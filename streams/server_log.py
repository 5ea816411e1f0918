"""What our HTTP servers log of their own accord.

Of a request that is no HTTP aiohttp logs a traceback with the bytes that it could not read, which may be a token or an account.
Such a request is the sender's doing: one line says that it was refused, and none of its bytes. All else goes on.
"""

from __future__ import annotations

import logging

import structlog
from aiohttp.http_exceptions import HttpProcessingError

_log = structlog.get_logger()


class _Unreadable(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        _log.info("request_refused", status=error.code, code="not_http")
        return False


SERVER_LOG = logging.getLogger("plumbline.http")
SERVER_LOG.addFilter(_Unreadable())
