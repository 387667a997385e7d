"""What a deployment says of language models: backends, tiers, routes, what data may go where, limits. Pure and valid.

Made by `connectors.models.file.load_models`. Only what the file names can be asked: a request that names something
else, or data that nothing says may go there, is refused.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from connectors.models.raw import Key, Kind, Per, RawModel, RawPrice, Use
from connectors.served.boot import Boot

PUBLIC_URLS: Final[Mapping[Kind, str]] = {
    Kind.OPENAI: "https://api.openai.com/v1",
    Kind.ANTHROPIC: "https://api.anthropic.com",
    Kind.GOOGLE: "https://generativelanguage.googleapis.com",
}
"""Where those are that have one address for all."""


class ModelRef(NamedTuple):
    """A model at a backend, as the file names it: `backend/model`."""

    backend: str
    model: str

    @classmethod
    def of(cls, text: str) -> "ModelRef":
        """From a valid `backend/model`; a model's own name may have slashes."""
        backend, _, model = text.partition("/")
        return cls(backend, model)

    def __str__(self) -> str:
        return f"{self.backend}/{self.model}"


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Who is asked.

    Attributes:
        name: In the file, in the policy, in Vault.
        kind: How it speaks.
        url: Its root; None where the kind alone says it (Bedrock, by its region).
        region: Of AWS, for Bedrock.
        key: Where its key is.
        seconds: How long one request may take.
        requests_per_minute: What its account may ask; None where nobody knows.
        stream: Whether it answers piece by piece, so that people see how far it is.
    """

    name: str
    kind: Kind
    url: str | None = None
    region: str | None = None
    key: Key = Key.VAULT
    seconds: int = 120
    requests_per_minute: int | None = None
    stream: bool = False

    @property
    def standard(self) -> bool:
        """Whether it is the kind's own service, and no other that speaks as it does."""
        return self.url is None or self.url == PUBLIC_URLS.get(self.kind)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be used; None for no limit.

    Attributes:
        goal_usd: US dollars in one run of a goal.
        goal_requests: Requests in one run of a goal.
        goal_minutes: Minutes in which one run of a goal may ask.
        goal_decisions: How often people may have to decide on what a model planned in one run of a goal.
        day_usd: US dollars on one day of UTC's.
        day_decisions: How often people may have to decide on what models planned on one day of UTC's.
        day_per: Whose the day's limits are.
        installation_day_usd: US dollars on one day of UTC's, for the jobs of each installation of the GitHub App.
    """

    goal_usd: float | None = None
    goal_requests: int | None = None
    goal_minutes: int | None = None
    goal_decisions: int | None = None
    day_usd: float | None = None
    day_decisions: int | None = None
    day_per: Per = Per.ALL
    installation_day_usd: float | None = None

    @property
    def money(self) -> bool:
        """Whether money is limited: then nothing is asked whose price nobody knows."""
        return any(one is not None for one in (self.goal_usd, self.day_usd, self.installation_day_usd))


@dataclass(frozen=True, kw_only=True)
class Models:
    """The file, valid.

    Attributes:
        source: Its name, for messages.
        backends: By name.
        tiers: The models of each, the first to be asked first.
        routes: The tier of each use.
        data: Which labels may go to which backend; to one that is not there, none.
        limits: What may be used.
        known: What is known of a model better than by the libraries.
        served: What machines boot that goals may have to serve a backend; by its name.
    """

    source: str
    backends: Mapping[str, Backend]
    tiers: Mapping[str, tuple[ModelRef, ...]]
    routes: Mapping[Use, str]
    data: Mapping[str, frozenset[str]]
    limits: Limits = field(default_factory=Limits)
    known: Mapping[ModelRef, RawModel] = field(default_factory=dict[ModelRef, RawModel])
    served: Mapping[str, Boot] = field(default_factory=dict[str, Boot])

    @property
    def asked(self) -> tuple[ModelRef, ...]:
        """Every model that may be asked at all, each once, in the order of the file."""
        return tuple(dict.fromkeys(one for tier in self.tiers.values() for one in tier))

    def route(self, use: Use) -> tuple[ModelRef, ...]:
        """The models for a use, the first to be asked first; none where the file has no route for it."""
        return self.tiers[self.routes[use]] if use in self.routes else ()

    def not_allowed(self, backend: str, labels: Collection[str]) -> list[str]:
        """Those of these labels whose data may not go there, in order."""
        return sorted(set(labels) - self.data.get(backend, frozenset()))

    def price(self, ref: ModelRef) -> RawPrice | None:
        """What the file says that it costs; None where it says nothing."""
        return self.known[ref].price if ref in self.known else None
