"""Who may do what over HTTP: one middleware for the whole application.

Rules:
1. Without tokens, the service listens on a loopback address only and everything is open to this machine. The ``Host``
   header must then name a loopback address, or a page of a stranger could read all by rebinding its own name's DNS.
2. With tokens, only /healthz and /readyz are open. Events need a token with a ``source`` as ``Authorization: Bearer``,
   those that decide about a drift one with ``acknowledge: true`` instead: a sender must not be able to switch off the
   signal that would tell on it. Everything else needs a token with ``read: true``, as Bearer, or as the password of HTTP Basic for browsers.
3. A request that changes something and carries an ``Origin`` must carry this service's own: browsers add credentials
   by themselves.
4. Tokens are compared as hashes, all of them, in constant time. They never appear in an answer or a log line.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

import re2
import structlog
from aiohttp import hdrs, web

from schemas.errors import PlumblineError, Problem
from schemas.events import OF_SIGNALS, Event
from schemas.settings import Settings, Token
from streams.gateway.headers import add_security_headers
from streams.gateway.problem import Answered, Handler, RequestRefused, answer_with_problems

EVENTS_PATH = "/v1/events"
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_READING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_BEARER = 'Bearer realm="plumbline"'
_BASIC = 'Basic realm="plumbline", charset="UTF-8"'

_log = structlog.get_logger(__name__)


class Grant:
    """What the bearer of a token may do."""

    def __init__(self, token: Token) -> None:
        self.digest = _digest(token.token.get_secret_value())
        self.read = token.read
        self.acknowledge = token.acknowledge
        self.write = token.source is not None or token.acknowledge
        self._source = re2.compile(_glob(token.source)) if token.source is not None else None

    def refusal(self, event: Event) -> Problem | None:
        """Why ``event`` may not be sent with the token; None where it may."""
        if type(event) in OF_SIGNALS:
            return None if self.acknowledge else _MAY_NOT_ACKNOWLEDGE
        allowed = self._source is not None and self._source.fullmatch(event.source) is not None
        return None if allowed else _SOURCE_NOT_ALLOWED


_SOURCE_NOT_ALLOWED = Problem(
    code="source_not_allowed",
    what="the token may not write events of this source",
    where="$.source",
    remedy="use the token of that source, or widen the token's `source` in the settings",
)
_MAY_NOT_ACKNOWLEDGE = Problem(
    code="may_not_acknowledge",
    what="the token may not decide about drifts",
    where="$.type",
    remedy="use a token with `acknowledge: true` in the settings",
)
NOT_ALLOWED = frozenset({_SOURCE_NOT_ALLOWED.code, _MAY_NOT_ACKNOWLEDGE.code})
"""codes of events that another token may send"""

GRANT = web.RequestKey("grant", Grant)
"""Set on a request that a token was needed for; absent where everything is open."""


def protect(app: web.Application, settings: Settings, *, answered: Answered | None = None) -> None:
    """Puts access rules, problem documents and security headers before all that ``app`` serves.

    ``answered`` is told of refused requests for events. Raises PlumblineError when the settings would leave an address
    other than loopback open, or a token is empty.
    """
    grants = [Grant(token) for token in settings.tokens]
    if any(not token.token.get_secret_value() for token in settings.tokens):
        raise PlumblineError("a token is empty", remedy="write a long random text, or env:NAME, as token")
    if not grants and not is_loopback(settings.listen.rpartition(":")[0]):
        raise PlumblineError(
            "the service would listen beyond this machine without a token",
            remedy="listen on 127.0.0.1, or add a token to the settings",
        )

    @web.middleware
    async def check_access(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_origin(request)
            if not grants:
                _check_host(request)
            elif not (request.path in OPEN_PATHS and request.method in _READING):
                request[GRANT] = _granted(request, grants)
        except RequestRefused as refused:
            _log.info("request_refused", status=refused.status, code=refused.code)
            if answered is not None and _is_for_events(request):
                answered(refused.status)
            response = refused.response()
            response.force_close()  # what is left of the body is not worth reading
            return response
        return await handler(request)

    app.on_response_prepare.append(add_security_headers)
    app.middlewares.extend([answer_with_problems, check_access])


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or address as written, without port) is this machine and nothing else."""
    if host.lower() == "localhost":
        return True
    try:
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_for_events(request: web.Request) -> bool:
    return request.path == EVENTS_PATH and request.method == hdrs.METH_POST


def _granted(request: web.Request, grants: Sequence[Grant]) -> Grant:
    for_events = _is_for_events(request)
    challenge = _BEARER if for_events else f"{_BEARER}, {_BASIC}"
    secret = _presented(request.headers.get(hdrs.AUTHORIZATION, ""), basic=not for_events)
    if secret is None:
        raise RequestRefused(
            401,
            "no_token",
            "a token is needed",
            remedy="send it as Authorization: Bearer <token>",
            headers={hdrs.WWW_AUTHENTICATE: challenge},
        )
    digest = _digest(secret)
    matching = [grant for grant in grants if hmac.compare_digest(grant.digest, digest)]
    if not matching:
        raise RequestRefused(
            401,
            "wrong_token",
            "the token is not one of this service's",
            remedy="see tokens in the settings",
            headers={hdrs.WWW_AUTHENTICATE: f'{_BEARER}, error="invalid_token"' if for_events else challenge},
        )
    grant = matching[0]
    if not (grant.write if for_events else grant.read):
        raise RequestRefused(
            403,
            "token_not_allowed",
            "this token may not send events" if for_events else "this token may not read",
            remedy="use one that has a `source`, or `acknowledge: true`, in the settings"
            if for_events
            else "use one with `read: true` in the settings",
        )
    return grant


def _presented(authorization: str, *, basic: bool) -> str | None:
    scheme, _, rest = authorization.partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest or None
    if scheme.lower() == "basic" and basic:
        try:
            text = base64.b64decode(rest, validate=True).decode()
        except ValueError:  # not base64, or not UTF-8
            return None
        return text.partition(":")[2] or None
    return None


def _check_host(request: web.Request) -> None:
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1 or not is_loopback(_without_port(hosts[0])):
        raise RequestRefused(
            403,
            "foreign_host",
            "this service answers to a loopback address only",
            remedy="open it as http://127.0.0.1 with its port, or add a token to the settings",
        )


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or request.method in _READING:
        return
    try:
        own = urlsplit(origin).netloc.lower() == request.headers[hdrs.HOST].lower()
    except (ValueError, KeyError):
        own = False
    if not own:
        raise RequestRefused(
            403,
            "foreign_origin",
            "a page of another site may not change anything here",
            remedy="send the request from a program, or from this service's own pages",
        )


def _without_port(host: str) -> str:
    if host.startswith("["):
        address, bracket, _ = host.partition("]")
        return address + bracket
    return host.partition(":")[0]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _glob(pattern: str) -> str:
    """``*`` and ``?`` over the whole text, as in conditions; an RE2 pattern."""
    signs = {"*": ".*", "?": "."}
    return "(?s)" + "".join(signs.get(sign) or re2.escape(sign) for sign in pattern)
