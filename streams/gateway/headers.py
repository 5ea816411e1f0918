"""Security headers for every answer: nothing is loaded from elsewhere, framed, sniffed, referred or cached."""

from __future__ import annotations

from aiohttp import web

HEADERS = {
    # The pages bring their styles with them and run no scripts.
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` signal; what a handler has set itself stays."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "plumbline"
