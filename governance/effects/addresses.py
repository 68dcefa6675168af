"""Addresses that a webhook may be sent to: checked once, and then it is that very address which is spoken to."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

from governance.effects.handlers import UndeliverableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE: Final = ipaddress.ip_network("::/96")


class AddressRefusedError(UndeliverableError):
    """The name leads to an address that is not on the public network: a webhook could reach what only we can reach."""

    rule = "address-refused"


def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name; raises OSError when there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


def checked(host: str, port: int, *, private: bool, resolve: Resolve = resolved) -> Sequence[str]:
    """Return the addresses of a host; AddressRefusedError if any of them is private, unless that is allowed.

    All of them have to be public: a name that leads to a public and to a private address is an attempt.
    """
    addresses = resolve(host, port)
    refused = next((each for each in addresses if not private and not _public(each)), None)
    if refused is not None:
        msg = f"{host} is at {refused}, which is not on the public network"
        raise AddressRefusedError(msg, host=host, address=refused)
    return addresses


def _public(text: str) -> bool:
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast and not each.is_reserved for each in _meant(address))


def _meant(address: Address) -> Sequence[Address]:
    """Return the address and whatever IPv4 address it wraps, by which an inner network could be reached."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    wrapped = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _NAT64) or address in _COMPATIBLE:
        wrapped.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    inner = [each for each in wrapped if each is not None]
    outer = [] if address.ipv4_mapped is not None or address in _NAT64[0] else [address]
    return (*outer, *inner)
