"""Which connection is closed where there are too many."""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

# A connection on which nobody asked anything, or who may not, is closed after so many seconds.
DEADLINE_S = 10.0


class Connection(Protocol):
    """An open connection."""

    @property
    def network(self) -> str:
        """Who opened it, as `network_of` returns it."""
        ...

    @property
    def since(self) -> float:
        """When its time began, in seconds of a monotonic clock."""
        ...


_Connection = TypeVar("_Connection", bound=Connection)


def network_of(host: str) -> str:
    """Return what is counted as one client: an IPv4 address, the /64 network of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:  # what a proxy on this machine says
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def first_to_close(connections: Sequence[_Connection]) -> _Connection:
    """Return the oldest connection of the client that has the most."""
    network = Counter(each.network for each in connections).most_common(1)[0][0]
    return min(
        (each for each in connections if each.network == network), key=lambda each: each.since
    )
