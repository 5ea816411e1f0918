"""One POST to one endpoint: the thin shell around egress, signing and policy.

Rules:
1. A host is resolved once a connection, all of its addresses are judged, and exactly those are dialled: an answer that
   changes between check and use (DNS rebinding) can't happen. TLS and Host keep the name.
2. 15 seconds in all, from the look-up to the end of the answer.
3. No redirects, no proxies or credentials from the environment, no cookies, no decompression; of the answer's body at
   most 64 KB are read, and thrown away.
4. Each endpoint has its own connector and its own thread for look-ups: a name server that hangs delays nobody else.
   Every try makes a new connection, so that none fails because a kept one went stale, and each passes the check.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook

from streams.delivery.egress import Destination, EgressRefused, Network, check_addresses
from streams.delivery.policy import Answer, Result
from streams.delivery.signing import headers

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 65_536
USER_AGENT = "Plumbline-Webhooks/1"

LookUp = Callable[[str, int], Sequence[tuple[Any, ...]]]
"""(host, port) -> getaddrinfo's list. Blocks; raises OSError."""


def system_look_up(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class GuardedResolver(AbstractResolver):
    """Resolves, and lets a host through only with all of its addresses judged."""

    def __init__(self, destination: Destination, allow_networks: Sequence[Network], look_up: LookUp) -> None:
        self._destination = destination
        self._allow_networks = allow_networks
        self._look_up = look_up
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="webhook-look-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._thread, self._look_up, host, port)
        check_addresses(
            self._destination, [ip_address(sockaddr[0]) for *_, sockaddr in found], self._allow_networks
        )
        return [
            ResolveResult(
                hostname=host,
                host=sockaddr[0],
                port=port,
                family=family_,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family_, _, proto, _, sockaddr in found
        ]

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


class Sender:
    """Sends to one endpoint. Make it within a running event loop; close it."""

    def __init__(
        self,
        destination: Destination,
        signed_by: Sequence[Webhook],
        allow_networks: Sequence[Network],
        *,
        look_up: LookUp = system_look_up,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Raises EgressRefused when the URL's host is an address that may not be reached."""
        if destination.literal is not None:  # aiohttp asks no resolver about addresses
            check_addresses(destination, [destination.literal], allow_networks)
        self._destination = destination
        self._signed_by = signed_by
        self._timeout_s = timeout_s
        self._resolver = GuardedResolver(destination, allow_networks, look_up)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._resolver,
                use_dns_cache=False,
                force_close=True,
                ssl=ssl.create_default_context(),
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # asyncio.timeout below is exact
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={
                "User-Agent": USER_AGENT,
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
        )

    async def send(self, alert_id: str, body: bytes, at: float) -> Answer:
        """One try at ``at`` (Unix seconds, wall clock). What the receiver or the network does wrong is in the answer."""
        signed = headers(self._signed_by, alert_id, at, body)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._session.post(
                    self._destination.url, data=body, headers=signed, allow_redirects=False
                ) as response,
            ):
                await _discard(response.content)
                return Answer(status=response.status, retry_after=response.headers.get("Retry-After"))
        except TimeoutError:
            return Answer(failure=Result.TIMEOUT)
        except EgressRefused as error:
            return Answer(failure=Result.EGRESS_REFUSED, detail=error.refusal)
        except aiohttp.ClientSSLError:
            return Answer(failure=Result.TLS_FAILED)
        except aiohttp.ClientConnectorDNSError:
            return Answer(failure=Result.NAME_NOT_FOUND)
        except aiohttp.ClientOSError:
            return Answer(failure=Result.UNREACHABLE)
        except aiohttp.ClientError:
            return Answer(failure=Result.BROKEN_ANSWER)

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()


async def _discard(content: aiohttp.StreamReader) -> None:
    left = MAX_ANSWER_BYTES
    while left > 0 and (chunk := await content.read(left)):
        left -= len(chunk)
