"""Which addresses a webhook may reach. Pure: no look-up happens here; streams/delivery/sender.py dials what this lets through.

Rules:
1. What is not plainly public is refused. IPv6 is judged by what is open (2000::/3, less its special blocks), IPv4 by
   the IANA special-purpose registry. ``ipaddress.is_global`` is not used: on Python 3.11 it calls 64:ff9b::7f00:1,
   2002:7f00:1:: and 224.0.0.1 global.
2. An IPv4 address inside an IPv6 address (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is judged as well: both must
   be allowed.
3. ``allow_networks`` opens the networks written there and no other: 10.1.0.0/16 does not open ::ffff:10.1.2.3.
   The addresses at which clouds hand out credentials are opened only by their own /32 or /128.
4. One refused address among those of a host refuses the host: nobody picks the good one by luck.
5. Plain http is for allowed networks alone. A host that ends in a number must be an IPv4 address as everybody writes
   it, since resolvers also take 0x7f000001, 0177.0.0.1 and 127.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from msgspec import Struct
from yarl import URL

from schemas.errors import PlumblineError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Refusal(StrEnum):
    """Why an address or a URL is refused; a bounded set of words."""

    PRIVATE = "private"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link_local"
    SHARED = "carrier_grade_nat"
    UNSPECIFIED = "unspecified"
    MULTICAST = "multicast"
    BROADCAST = "broadcast"
    RESERVED = "reserved"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    METADATA = "metadata"
    MAPPED = "ipv4_mapped"
    COMPATIBLE = "ipv4_compatible"
    NAT64 = "nat64"
    SIX_TO_FOUR = "6to4"
    TEREDO = "teredo"
    PLAIN_HTTP = "plain_http"
    BAD_URL = "bad_url"
    SCHEME = "scheme"
    CREDENTIALS = "credentials_in_url"
    ODD_ADDRESS = "odd_address"
    NO_ADDRESS = "no_address"


_URL_REMEDY = {
    Refusal.PLAIN_HTTP: "use https; plain http is only for networks listed under egress.allow_networks",
    Refusal.BAD_URL: "write the URL as https://host/path",
    Refusal.SCHEME: "write the URL as https://host/path",
    Refusal.CREDENTIALS: "take user and password out of the URL; webhooks are authenticated by their signature",
    Refusal.ODD_ADDRESS: "write an IPv4 address as four decimal numbers, like 192.0.2.10",
    Refusal.NO_ADDRESS: "check the host name of the endpoint",
}
"""The other refusals are of an address, for the kind that it is of."""


class EgressRefused(PlumblineError):
    """A webhook may not go there. Never holds the URL or the address: a URL may carry a secret."""

    exit_code = 2

    def __init__(self, refusal: Refusal) -> None:
        words = refusal.value.replace("_", " ")
        if refusal in _URL_REMEDY:
            remedy = _URL_REMEDY[refusal]
        else:
            words += " address"
            which = "exactly this address (/32 or /128)" if refusal is Refusal.METADATA else "its network"
            remedy = f"if this is meant, list {which} in the settings, like egress: {{allow_networks: [10.20.0.0/16]}}"
        super().__init__(f"the endpoint may not be reached: {words}", remedy=remedy)
        self.refusal = refusal


_METADATA: frozenset[Address] = frozenset(
    ip_address(written)
    for written in (
        "169.254.169.254",  # most clouds
        "169.254.170.2",  # AWS ECS task credentials
        "169.254.170.23",  # AWS EKS pod identity
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure, in the midst of public space
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS pod identity
        "fd20:ce::254",  # Google
        "fe80::a9fe:a9fe",  # OpenStack
    )
)

_V4: tuple[tuple[IPv4Network, Refusal], ...] = tuple(
    (IPv4Network(written), refusal)
    for written, refusal in (
        ("0.0.0.0/8", Refusal.UNSPECIFIED),
        ("10.0.0.0/8", Refusal.PRIVATE),
        ("100.64.0.0/10", Refusal.SHARED),
        ("127.0.0.0/8", Refusal.LOOPBACK),
        ("169.254.0.0/16", Refusal.LINK_LOCAL),
        ("172.16.0.0/12", Refusal.PRIVATE),
        ("192.0.0.0/24", Refusal.RESERVED),
        ("192.0.2.0/24", Refusal.DOCUMENTATION),
        ("192.31.196.0/24", Refusal.RESERVED),  # AS112
        ("192.52.193.0/24", Refusal.RESERVED),  # AMT relays
        ("192.88.99.0/24", Refusal.SIX_TO_FOUR),  # relay anycast
        ("192.168.0.0/16", Refusal.PRIVATE),
        ("192.175.48.0/24", Refusal.RESERVED),  # AS112
        ("198.18.0.0/15", Refusal.BENCHMARKING),
        ("198.51.100.0/24", Refusal.DOCUMENTATION),
        ("203.0.113.0/24", Refusal.DOCUMENTATION),
        ("224.0.0.0/4", Refusal.MULTICAST),
        ("255.255.255.255/32", Refusal.BROADCAST),
        ("240.0.0.0/4", Refusal.RESERVED),
    )
)

_V6: tuple[tuple[IPv6Network, Refusal], ...] = tuple(
    (IPv6Network(written), refusal)
    for written, refusal in (
        ("::/128", Refusal.UNSPECIFIED),
        ("::1/128", Refusal.LOOPBACK),
        ("::ffff:0:0/96", Refusal.MAPPED),
        ("::ffff:0:0:0/96", Refusal.MAPPED),  # IPv4-translated (SIIT)
        ("::/96", Refusal.COMPATIBLE),
        ("64:ff9b::/96", Refusal.NAT64),
        ("64:ff9b:1::/48", Refusal.NAT64),
        ("100::/64", Refusal.RESERVED),  # discard only
        ("2001::/32", Refusal.TEREDO),
        ("2001:2::/48", Refusal.BENCHMARKING),
        ("2001:db8::/32", Refusal.DOCUMENTATION),
        ("2001::/23", Refusal.RESERVED),  # protocol assignments, ORCHID
        ("2002::/16", Refusal.SIX_TO_FOUR),
        ("2620:4f:8000::/48", Refusal.RESERVED),  # AS112
        ("3ffe::/16", Refusal.RESERVED),  # the former 6bone
        ("3fff::/20", Refusal.DOCUMENTATION),
        ("fc00::/7", Refusal.PRIVATE),  # unique local
        ("fe80::/10", Refusal.LINK_LOCAL),
        ("fec0::/10", Refusal.PRIVATE),  # site-local
        ("ff00::/8", Refusal.MULTICAST),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_LAST_32_BITS = tuple(
    IPv6Network(written)
    for written in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)


def embedded_ipv4(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that a host or router could take out of ``address`` (RFC 4291, 3056, 4380, 5214, 6052).

    In 64:ff9b:1::/48 the last 32 bits are meant, as everywhere else; who opens it with another layout opens all of it.
    """
    bits = int(address)
    found: list[int] = []
    if bits > 1 and any(address in network for network in _LAST_32_BITS):  # :: and ::1 hold none
        found.append(bits & 0xFFFFFFFF)
    if address.sixtofour is not None:
        found.append(int(address.sixtofour))
    if address.teredo is not None:
        found.extend(int(part) for part in address.teredo)
    if (bits >> 32) & 0xFDFFFFFF == 0x00005EFE:
        found.append(bits & 0xFFFFFFFF)  # ISATAP
    return tuple(IPv4Address(number) for number in found)


def _refusal_by_block(address: Address) -> Refusal | None:
    if address in _METADATA:
        return Refusal.METADATA
    blocks: Sequence[tuple[Network, Refusal]] = _V4 if isinstance(address, IPv4Address) else _V6
    for network, refusal in blocks:
        if address in network:
            return refusal
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return Refusal.RESERVED
    return None


def _allowed(address: Address, allow_networks: Sequence[Network]) -> bool:
    if address in _METADATA:
        return ip_network(address) in allow_networks
    return any(address in network for network in allow_networks)


def refusal_of(address: Address, allow_networks: Sequence[Network] = ()) -> Refusal | None:
    """None if a webhook may go to ``address``, else why not."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return Refusal.LINK_LOCAL
        for inner in embedded_ipv4(address):
            if (refusal := refusal_of(inner, allow_networks)) is not None:
                return refusal
    return None if _allowed(address, allow_networks) else _refusal_by_block(address)


class Destination(Struct, frozen=True, kw_only=True):
    """A URL that may be dialled once the addresses of its host are judged. ``literal``: the host is an address."""

    url: URL
    host: str
    port: int
    literal: Address | None

    @property
    def plain(self) -> bool:
        return self.url.scheme == "http"

    @property
    def origin(self) -> str:
        """Scheme, host and port: all of a URL that may be shown, since paths and queries can carry secrets."""
        return str(self.url.origin())


_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_DOTTED = re.compile(r"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}")


def read_destination(written: str) -> Destination:
    """The destination that ``written`` names, in the very form in which it is dialled. Raises EgressRefused."""
    if _UNSAFE.search(written):
        raise EgressRefused(Refusal.BAD_URL)
    try:
        url = URL(written)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise EgressRefused(Refusal.BAD_URL) from error
    if url.scheme not in ("http", "https"):
        raise EgressRefused(Refusal.SCHEME)
    if url.user is not None or url.password is not None:
        raise EgressRefused(Refusal.CREDENTIALS)
    if not host or not port:
        raise EgressRefused(Refusal.BAD_URL)
    if ":" in host:
        return Destination(url=url.with_fragment(None), host=host, port=port, literal=_literal(host))
    if host.endswith("."):
        # A fully qualified name; one spelling for judging, the Host header and the certificate.
        host = host[:-1]
        url = url.with_host(host) if host else url
    host = host.lower()
    if not _HOST_NAME.fullmatch(host) or len(host) > 253:
        raise EgressRefused(Refusal.BAD_URL)
    literal = _literal(host) if _NUMBER.fullmatch(host.rpartition(".")[2]) else None
    return Destination(url=url.with_fragment(None), host=host, port=port, literal=literal)


def _literal(host: str) -> Address:
    if ":" not in host and not _DOTTED.fullmatch(host):
        raise EgressRefused(Refusal.ODD_ADDRESS)
    try:
        return ip_address(host)
    except ValueError as error:
        raise EgressRefused(Refusal.ODD_ADDRESS) from error


def endpoint_destination(written: str, allow_networks: Sequence[Network]) -> Destination:
    """What ``written`` says by itself, without asking for a name's address. Raises EgressRefused when that may not be reached."""
    destination = read_destination(written)
    if destination.literal is not None:
        check_addresses(destination, [destination.literal], allow_networks)
    return destination


def check_addresses(
    destination: Destination, addresses: Sequence[Address], allow_networks: Sequence[Network]
) -> None:
    """Raises EgressRefused unless every one of ``addresses``, to which the host resolved, may be dialled."""
    if not addresses:
        raise EgressRefused(Refusal.NO_ADDRESS)
    for address in addresses:
        if (refusal := refusal_of(address, allow_networks)) is not None:
            raise EgressRefused(refusal)
        if destination.plain and not _allowed(address, allow_networks):
            raise EgressRefused(Refusal.PLAIN_HTTP)
