"""What the deployment opens for a named purpose, and the proxy's configuration that says exactly that."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sandbox.egress.addresses import INSIDE
from sandbox.egress.registries import MirrorSettings
from sandbox.egress.targets import TargetPattern
from sandbox.spec import Host, ImageDigest, Purpose, Work

PROXY_PORT: Final = 3128
PROXY_HOST: Final = "proxy.banksman.internal"
_MOST_AT_ONCE: Final = 64  # connections of one run, so that it cannot use up the proxy of others


class RelayTarget(BaseModel):
    """One address that a run reaches, whatever it asks for.

    Attributes:
        host: Name or address, as the relay's container sees it.
        port: On that host.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}$")
    port: int = Field(ge=1, le=65535)


class EgressSettings(BaseModel):
    """What the deployment decides about networks.

    Attributes:
        purposes: Exact host names by purpose; each is reached by CONNECT on port 443 and not otherwise.
        mirrors: Package registries by purpose; a run reaches them only through a caching mirror, which records path
            and digest of every download. Such a purpose may have hosts as well, other ones.
        relays: Fixed addresses by purpose and name, such as a database's: a run reaches each on a port of the relay's,
            and nothing that it sends leads elsewhere. Such a purpose may have hosts as well.
        targets: Purposes whose runs each reach one address, which the step chooses among these. Such a purpose has
            nothing else, and is for one kind of work alone.
        kept_for: Purposes that are for one kind of work alone; the others are for all.
        proxy_image: The allow-list proxy, the mirror and the relay, by digest.
        pool: Where the runs' networks are cut from, eight addresses each; no other network may overlap.
        outbound: A network of the engine that leads out, for the proxies only; None makes one.
        resolvers: Whom the proxies ask for names; none means the engine's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    purposes: Mapping[Purpose, tuple[Host, ...]] = Field(default_factory=dict[str, tuple[str, ...]])
    mirrors: Mapping[Purpose, MirrorSettings] = Field(default_factory=dict[str, MirrorSettings])
    relays: Mapping[Purpose, Mapping[Purpose, RelayTarget]] = Field(
        default_factory=dict[str, Mapping[str, RelayTarget]]
    )
    targets: Mapping[Purpose, tuple[TargetPattern, ...]] = Field(default_factory=dict[str, tuple[TargetPattern, ...]])
    kept_for: Mapping[Purpose, Work] = Field(default_factory=dict[str, Work])
    proxy_image: ImageDigest
    pool: IPv4Network = IPv4Network("10.214.0.0/20")
    outbound: str | None = Field(default=None, pattern=r"^banksman-[a-z0-9-]{1,50}$")
    resolvers: tuple[IPv4Address, ...] = ()

    @model_validator(mode="after")
    def _no_way_around(self) -> Self:
        for purpose, mirror in self.mirrors.items():
            if around := sorted(set(mirror.hosts) & set(self.purposes.get(purpose, ()))):
                raise ValueError(
                    f"{', '.join(around)} of {purpose!r} is mirrored and open at once, so that downloads could go "
                    "past the record: take it out of the purpose's hosts"
                )
        for purpose in self.targets:
            if any(purpose in ways for ways in (self.purposes, self.mirrors, self.relays)):
                raise ValueError(f"runs for {purpose!r} reach one address each: give what else is there another name")
            if self.kept_for.get(purpose, "command") == "command":
                raise ValueError(f"{purpose!r} leads where its step says, so no goal may name it: keep it for its work")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Every purpose that exists here."""
        return tuple(dict.fromkeys((*self.purposes, *self.mirrors, *self.relays, *self.targets)))

    def names_for(self, work: Work) -> tuple[str, ...]:
        """Those that this work may have."""
        return tuple(name for name in self.names if self.kept_for.get(name, work) == work)


def squid_configuration(hosts: tuple[str, ...]) -> str:
    """Names first, so that a name that is not listed is never resolved; then method, port, and address.

    `dstdomain -n` looks no address up backwards. Negative answers are kept a minute, and so is every other one at
    least: between the check of an address and its use it cannot change.
    """
    names = " ".join(hosts) or "nothing.invalid"
    return f"""\
http_port {PROXY_PORT}
pid_filename none
visible_hostname {PROXY_HOST}
cache deny all
cache_mem 0 MB
netdb_filename none
coredump_dir none
hosts_file none
pinger_enable off
logfile_rotate 0
shutdown_lifetime 0 seconds
negative_dns_ttl 60 seconds
connect_timeout 10 seconds
dns_timeout 10 seconds
via off
forwarded_for delete
httpd_suppress_version_string on
cache_log /dev/stderr
logformat seen seen %>a %rm %ru %>Hs %<st %Ss
access_log stdio:/dev/stdout seen
acl named dstdomain -n {names}
acl tunnel method CONNECT
acl tls port 443
acl many maxconn {_MOST_AT_ONCE}
acl inside dst {" ".join(INSIDE)}
http_access deny !named
http_access deny !tunnel
http_access deny !tls
http_access deny many
http_access deny inside
http_access allow named
http_access deny all
"""
