"""Where a person comes from, as it is stored and as it is counted."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

LONGEST_AGENT = 500
IPV6_HOUSEHOLD = 64  # bits: a provider hands out at least so much to one customer


@dataclass(frozen=True)
class Origin:
    """Where a request comes from; both are None where that is not known."""

    ip_address: str | None = None
    user_agent: str | None = None

    @classmethod
    def of(cls, ip_address: str | None, user_agent: str | None) -> Origin:
        """As it arrived: what is no address becomes None, a user agent printable and bounded."""
        address = _parsed(ip_address)
        agent = "".join(each for each in user_agent or "" if each.isprintable())
        return cls(None if address is None else str(address), agent[:LONGEST_AGENT] or None)


def counted_as(text: str | None) -> str | None:
    """One origin to whoever counts: an IPv4 address, or the /64 network of an IPv6 address."""
    address = _parsed(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_HOUSEHOLD), strict=False))
    return None if address is None else str(address)


def _parsed(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    # An IPv4 client of a server that listens on IPv6.
    return getattr(address, "ipv4_mapped", None) or address
