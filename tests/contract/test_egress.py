"""The egress guard against a table of addresses, each a way to reach what must not be reached, or to refuse what may."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.egress import (
    EgressRefused,
    Refusal,
    check_addresses,
    embedded_ipv4,
    read_destination,
    refusal_of,
)

PUBLIC = None
ADDRESSES: list[tuple[str, str | None]] = [
    # public
    ("1.1.1.1", PUBLIC),
    ("8.8.8.8", PUBLIC),
    ("9.255.255.255", PUBLIC),
    ("11.0.0.0", PUBLIC),
    ("100.63.255.255", PUBLIC),
    ("100.128.0.0", PUBLIC),
    ("126.255.255.255", PUBLIC),
    ("128.0.0.0", PUBLIC),
    ("172.15.255.255", PUBLIC),
    ("172.32.0.0", PUBLIC),
    ("192.0.1.0", PUBLIC),
    ("198.17.255.255", PUBLIC),
    ("198.20.0.0", PUBLIC),
    ("223.255.255.255", PUBLIC),
    ("2600::1", PUBLIC),
    ("2001:4860:4860::8888", PUBLIC),
    ("2606:4700:4700::1111", PUBLIC),
    ("2a00:1450:4001:81b::200e", PUBLIC),
    # IPv4 special purpose
    ("0.0.0.0", "unspecified"),  # noqa: S104
    ("0.1.2.3", "unspecified"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.1", "carrier_grade_nat"),
    ("100.127.255.255", "carrier_grade_nat"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("169.254.0.1", "link_local"),
    ("169.254.255.255", "link_local"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.1", "reserved"),
    ("192.0.2.1", "documentation"),
    ("192.31.196.1", "reserved"),
    ("192.52.193.1", "reserved"),
    ("192.88.99.1", "6to4"),
    ("192.168.0.1", "private"),
    ("192.168.255.255", "private"),
    ("192.175.48.1", "reserved"),
    ("198.18.0.1", "benchmarking"),
    ("198.19.255.255", "benchmarking"),
    ("198.51.100.7", "documentation"),
    ("203.0.113.9", "documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    # where clouds hand out credentials
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("169.254.170.23", "metadata"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::23", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("fe80::a9fe:a9fe", "metadata"),
    # IPv6 special purpose
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("100::1", "reserved"),
    ("2001:2::1", "benchmarking"),
    ("2001:10::1", "reserved"),
    ("2001:20::1", "reserved"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("3ffe::1", "reserved"),
    ("2620:4f:8000::1", "reserved"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
    ("200::1", "reserved"),
    ("fc00::1", "private"),
    ("fdff:ffff::1", "private"),
    ("fe80::1", "link_local"),
    ("fe80::1%1", "link_local"),
    ("febf::1", "link_local"),
    ("fec0::1", "private"),
    ("feff::1", "private"),
    ("ff02::1", "multicast"),
    ("ff0e::1", "multicast"),
    # IPv4 inside IPv6: the reason is the inner address's if that is refused, else the wrapping's
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:8.8.8.8", "ipv4_mapped"),
    ("::ffff:0:8.8.8.8", "ipv4_mapped"),
    ("::ffff:0:127.0.0.1", "loopback"),
    ("::127.0.0.1", "loopback"),
    ("::8.8.8.8", "ipv4_compatible"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("64:ff9b::808:808", "nat64"),
    ("64:ff9b:1::7f00:1", "loopback"),
    ("64:ff9b:1:2:3:4:808:808", "nat64"),
    ("2002:7f00:1::", "loopback"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:808:808::1", "6to4"),
    ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "documentation"),  # Teredo, client 192.0.2.45
    ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "teredo"),  # client 8.8.8.8
    ("2600::5efe:10.0.0.1", "private"),  # ISATAP
    ("2600::200:5efe:7f00:1", "loopback"),
]


@pytest.mark.parametrize(("address", "reason"), ADDRESSES)
def test_address(address: str, reason: str | None) -> None:
    assert refusal_of(ip_address(address)) == reason


def test_the_table_is_large_enough() -> None:
    assert len({address for address, _ in ADDRESSES}) == len(ADDRESSES) >= 60


@pytest.mark.parametrize(
    ("address", "allowed", "reason"),
    [
        ("10.1.2.3", ["10.1.0.0/16"], None),
        ("10.2.2.3", ["10.1.0.0/16"], "private"),
        ("127.0.0.1", ["127.0.0.1/32"], None),
        ("127.0.0.2", ["127.0.0.1/32"], "loopback"),
        ("::1", ["127.0.0.0/8"], "loopback"),
        ("::1", ["::1/128"], None),
        ("::ffff:10.1.2.3", ["10.1.0.0/16"], "ipv4_mapped"),
        ("::ffff:10.1.2.3", ["10.1.0.0/16", "::ffff:0:0/96"], None),
        ("::ffff:10.2.2.3", ["10.1.0.0/16", "::ffff:0:0/96"], "private"),
        ("64:ff9b::808:808", ["64:ff9b::/96"], None),
        ("64:ff9b::7f00:1", ["64:ff9b::/96"], "loopback"),
        ("64:ff9b:1::808:808", ["64:ff9b:1::/48"], None),
        ("64:ff9b:1::a00:1", ["64:ff9b:1::/48"], "private"),
        ("fd12::1", ["fd12::/16"], None),
        ("fd13::1", ["fd12::/16"], "private"),
        # A network that is opened for other reasons does not open the metadata service within it.
        ("169.254.169.254", ["169.254.0.0/16"], "metadata"),
        ("100.100.100.200", ["100.64.0.0/10"], "metadata"),
        ("fd00:ec2::254", ["fc00::/7"], "metadata"),
        ("169.254.169.254", ["169.254.169.254/32"], None),
        ("8.8.8.8", ["10.0.0.0/8"], None),
    ],
)
def test_allowed_networks(address: str, allowed: list[str], reason: str | None) -> None:
    assert refusal_of(ip_address(address), [ip_network(n) for n in allowed]) == reason


_V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
_WRAPPINGS = {
    "mapped": lambda n: (0xFFFF << 32) | n,
    "translated": lambda n: (0xFFFF << 48) | n,
    "nat64": lambda n: (0x64FF9B << 96) | n,
    "nat64_local": lambda n: (0x64FF9B0001 << 80) | n,
    "6to4": lambda n: (0x2002 << 112) | (n << 80) | 1,
    "teredo_client": lambda n: (0x20010000 << 96) | (0x08080808 << 64) | (n ^ 0xFFFFFFFF),
    "teredo_server": lambda n: (0x20010000 << 96) | (n << 64) | (0x08080808 ^ 0xFFFFFFFF),
    "isatap": lambda n: (0x2600 << 112) | (0x5EFE << 32) | n,
    "isatap_global": lambda n: (0x2600 << 112) | (0x02005EFE << 32) | n,
}


@pytest.mark.parametrize("wrapping", _WRAPPINGS)
@given(inner=_V4)
def test_embedded_ipv4_is_judged(wrapping: str, inner: IPv4Address) -> None:
    outer = IPv6Address(_WRAPPINGS[wrapping](int(inner)))
    assert inner in embedded_ipv4(outer)
    if (reason := refusal_of(inner)) is not None:
        assert refusal_of(outer) == reason
    # Whoever opens all of IPv6 has not opened what is behind its gateways.
    everything = [ip_network("::/0")]
    assert (refusal_of(outer, everything) is None) == (refusal_of(inner) is None)


@given(number=st.integers(0, 2**128 - 1) | st.integers(0x2000 << 112, (0x4000 << 112) - 1))
def test_only_global_unicast_is_ever_open(number: int) -> None:
    address = IPv6Address(number)
    if refusal_of(address) is None:
        assert number >> 125 == 0b001
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_link_local


@given(address=_V4)
def test_open_ipv4_is_open_by_the_standard_library_too(address: IPv4Address) -> None:
    if refusal_of(address) is None:
        assert address.is_global
        assert not address.is_multicast


URLS_REFUSED = [
    ("ftp://example.com/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://example.com/", "scheme"),
    ("example.com/hook", "scheme"),
    ("//example.com/hook", "scheme"),
    ("", "scheme"),
    ("https://user@example.com/", "credentials_in_url"),
    ("https://user:pass@example.com/", "credentials_in_url"),
    ("https://example.com:443@127.0.0.1/", "credentials_in_url"),
    ("https:///hook", "bad_url"),
    ("https://example.com:0/", "bad_url"),
    ("https://example.com:65536/", "bad_url"),
    ("https://exam ple.com/", "bad_url"),
    ("https://exam\tple.com/", "bad_url"),
    ("https://example.com/\r\nHost: other", "bad_url"),
    ("https://example.com\\@127.0.0.1/", "bad_url"),
    ("https://127.0.0.1%00.example.com/", "bad_url"),
    ("https://%31%32%37.0.0.1/", "bad_url"),
    ("https://a..b/", "bad_url"),
    ("https://./", "bad_url"),
    ("https://example.com../", "bad_url"),
    ("https://0x7f000001/", "odd_address"),
    ("https://0X7F000001/", "odd_address"),
    ("https://0x7f.1/", "odd_address"),
    ("https://2130706433/", "odd_address"),
    ("https://127.1/", "odd_address"),
    ("https://0177.0.0.1/", "odd_address"),
    ("https://127.0.0.01/", "odd_address"),
    ("https://127.0.0.256/", "odd_address"),
    ("https://1.2.3.4.5/", "odd_address"),
    ("https://example.0x1/", "odd_address"),
    ("https://127.0x0.0.1/", "odd_address"),
]


@pytest.mark.parametrize(("url", "reason"), URLS_REFUSED)
def test_url_refused(url: str, reason: str) -> None:
    with pytest.raises(EgressRefused) as refused:
        read_destination(url)
    assert refused.value.refusal == reason
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("url", "host", "port", "literal"),
    [
        ("https://example.com/hook", "example.com", 443, None),
        ("https://EXAMPLE.com.:8443/hook?a=b", "example.com", 8443, None),
        ("http://example.com/", "example.com", 80, None),
        ("https://@example.com/", "example.com", 443, None),
        ("https://127.0.0.1./", "127.0.0.1", 443, "127.0.0.1"),
        ("https://127。0。0。1/", "127.0.0.1", 443, "127.0.0.1"),
        ("https://①②⑦.0.0.1/", "127.0.0.1", 443, "127.0.0.1"),
        ("https://[::1]:9/", "::1", 9, "::1"),
        ("https://[::ffff:127.0.0.1]/", "::ffff:7f00:1", 443, "::ffff:127.0.0.1"),
        ("https://[fe80::1%25eth0]/", "fe80::1%25eth0", 443, "fe80::1%25eth0"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, None),
        ("https://1e100.net/", "1e100.net", 443, None),
        ("https://a_b.example.com/", "a_b.example.com", 443, None),
    ],
)
def test_url_read(url: str, host: str, port: int, literal: str | None) -> None:
    destination = read_destination(url)
    assert (destination.host, destination.port) == (host, port)
    assert destination.literal == (ip_address(literal) if literal else None)
    assert destination.url.raw_host == host  # what is judged is what is dialled


def test_the_origin_hides_path_and_query() -> None:
    assert read_destination("https://hooks.example.com/T0/secret?key=1").origin == "https://hooks.example.com"


@pytest.mark.parametrize(
    ("url", "addresses", "allowed", "reason"),
    [
        ("https://h.example/", ["8.8.8.8", "2600::1"], [], None),
        ("https://h.example/", ["8.8.8.8", "10.0.0.1"], [], Refusal.PRIVATE),
        ("https://h.example/", ["10.0.0.1", "8.8.8.8"], [], Refusal.PRIVATE),
        ("https://h.example/", [], [], Refusal.NO_ADDRESS),
        ("http://h.example/", ["8.8.8.8"], [], Refusal.PLAIN_HTTP),
        ("http://h.example/", ["8.8.8.8"], ["8.8.8.0/24"], None),
        ("http://h.example/", ["10.0.0.1"], ["10.0.0.0/8"], None),
        ("http://h.example/", ["10.0.0.1", "8.8.8.8"], ["10.0.0.0/8"], Refusal.PLAIN_HTTP),
    ],
)
def test_all_addresses_of_a_host(
    url: str, addresses: list[str], allowed: list[str], reason: Refusal | None
) -> None:
    def check() -> None:
        check_addresses(
            read_destination(url), [ip_address(a) for a in addresses], [ip_network(n) for n in allowed]
        )

    if reason is None:
        check()
        return
    with pytest.raises(EgressRefused) as refused:
        check()
    assert refused.value.refusal is reason


@given(text=st.text(max_size=60))
def test_no_url_raises_anything_else(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/"):
        try:
            destination = read_destination(url)
        except EgressRefused:
            continue
        assert destination.host == destination.url.raw_host
