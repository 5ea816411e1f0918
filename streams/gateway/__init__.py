"""HTTP in: events, and who may do what over HTTP.

An application is put together as::

    app = web.Application()
    protect(app, settings, answered=metrics.request_answered)
    app.add_routes(make_gateway_routes(GatewayDeps(settings, LogSink(log.append, lag), answered=...)))
    runner = make_runner(app)
"""

from streams.gateway.auth import protect
from streams.gateway.events import GatewayDeps, make_gateway_routes
from streams.gateway.server import make_runner
from streams.gateway.sink import Accepted, EventSink, LogSink, NotKept

__all__ = [
    "Accepted",
    "EventSink",
    "GatewayDeps",
    "LogSink",
    "NotKept",
    "make_gateway_routes",
    "make_runner",
    "protect",
]
