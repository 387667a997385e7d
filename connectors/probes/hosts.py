"""Which hosts may be looked at: those that the deployment lists, at addresses that such a host may have.

A manifest is written by whoever may push to a branch, and a stack's output by whoever writes its program. So neither
chooses what a worker inside the network asks for: the deployment lists the hosts, and the address that a name resolves
to is looked at before anything is sent to it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Self

import httpx

from connectors.errors import InvalidRequest
from connectors.probes.pattern import HostPattern, parts

Address = IPv4Address | IPv6Address

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# Where machines are told who they are and given credentials, or what stands for another address. Nothing lists these.
_NEVER: Final = tuple(
    IPv4Network(one)
    for one in ("0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "192.0.0.0/24", "224.0.0.0/4", "240.0.0.0/4")
)
_NEVER_6: Final = tuple(
    IPv6Network(one)
    for one in ("::/128", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fd00:ec2::/32", "fe80::/10",
                "ff00::/8")
)  # fmt: skip


@dataclass(frozen=True)
class Allowed:
    """That a host is listed.

    Attributes:
        by_name: It is written out, and not meant by a `*`: then it may be inside the network as well.
    """

    by_name: bool

    def refuses(self, address: Address) -> bool:
        """Whether a host that is listed so must not be at this address."""
        plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
        never = _NEVER if isinstance(plain, IPv4Address) else _NEVER_6
        if any(plain in network for network in never):
            return True
        return not self.by_name and not plain.is_global


class Hosts:
    """What the deployment lists.

    Args:
        patterns: See `HostPattern`.
    """

    def __init__(self, patterns: tuple[HostPattern, ...]) -> None:
        self._patterns = tuple(_One.of(one) for one in patterns)

    def require(self, url: httpx.URL) -> Allowed:
        """Whether this address may be asked for, and how far.

        Raises:
            InvalidRequest: It is no plain address of http or https, or its host is not listed.
        """
        if url.scheme not in _DEFAULT_PORTS or not url.host or url.userinfo or url.fragment:
            raise InvalidRequest(
                f"{_shown(url)!r} cannot be looked at: write http:// or https://, a host and a path, without a user"
            )
        host, port = host_of(url), url.port or _DEFAULT_PORTS[url.scheme]
        fitting = [one for one in self._patterns if one.fits(host, port, default=port == _DEFAULT_PORTS[url.scheme])]
        if not fitting:
            raise InvalidRequest(
                f"{host!r} at port {port} is not among the hosts that this deployment lets goals look at: whoever "
                "runs it adds it to BANKSMAN_VERIFY_HOSTS"
            )
        return Allowed(by_name=any(not one.wild for one in fitting))


def host_of(url: httpx.URL) -> str:
    """Its host as it is compared: in ASCII, in lower case, without brackets and without a last dot."""
    return url.raw_host.decode("ascii").lower().rstrip(".")


def literal(host: str) -> Address | None:
    """The address that a host is written as, if it is one."""
    try:
        return ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True)
class _One:
    host: str
    port: int | None
    wild: bool

    @classmethod
    def of(cls, pattern: str) -> Self:
        host, port = parts(pattern)
        return cls(host.removeprefix("*"), port, host.startswith("*."))

    def fits(self, host: str, port: int, *, default: bool) -> bool:
        if port != self.port and not (self.port is None and default):
            return False
        return host.endswith(self.host) and literal(host) is None if self.wild else host == self.host


def _shown(url: httpx.URL) -> str:
    """Without what could be a password."""
    return f"{url.scheme}://{url.host}{url.path}"[:200]
