"""The steps of an update of dependencies, each in one fresh container, and their answers read as a stranger's words.

The deployment opens the ways: without its registries, its advisories or its image nothing begins, and the refusal
names what to set. What a tool says is bounded and redacted; what it wrote is judged elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from temporalio import activity

from activities.sandbox.contracts import Source
from activities.sandbox.output import LiveOutput
from activities.sandbox.session_contracts import ChangedFile
from activities.sandbox.source import APPLY, CHECK_OUT, PACK, PATCH
from activities.sandbox.update_contracts import (
    AUDIT_DEPENDENCIES,
    MOST_FINDINGS,
    UPDATE_DEPENDENCIES,
    AuditDependenciesRequest,
    DependenciesAudited,
    DependenciesUpdated,
    Finding,
    SumsUpdated,
    UpdateDependenciesRequest,
)
from activities.step import implements
from hitl.hidden import visible
from observability.redaction import redact
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.registries import MirrorSettings
from sandbox.errors import SandboxUnavailable
from sandbox.gate.locks import Ecosystem, ecosystem_of, sums_of
from sandbox.protocol import Sandbox
from sandbox.result import Artifact, RunResult
from sandbox.spec import InputArtifact, RunSpec
from sandbox.updates.running import ADVISORIES, OUT, REGISTRIES, SUMS, Tree, audit_spec, update_spec

OSV: Final = "api.osv.dev"
_LONGEST: Final = 1_000
_SHOWN: Final = 300
_NO_IMAGE: Final = (
    "the deployment has no image with the tools for updates: `python -m deploy.images --updates` builds it; then start "
    "the sandbox worker again"
)
_NO_REGISTRIES: Final = (
    f"the deployment opens no registries: name them in BANKSMAN_SANDBOX_MIRRORS under {REGISTRIES!r}"
)
_NO_ADVISORIES: Final = (
    "the audit cannot run, so that nothing is proposed: name {host!r} in BANKSMAN_SANDBOX_PURPOSES under "
    f"{ADVISORIES!r}"
)
_Said = TypeVar("_Said", bound=BaseModel)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Refusal(_Lenient):
    refused: str


class _Updated(_Lenient):
    lock: str
    ecosystem: Ecosystem
    executable: bool
    links: dict[str, str]


class _Audited(_Lenient):
    before: dict[str, Any]
    after: dict[str, Any]


class _Dependency(_Lenient):
    name: str


class _Known(_Lenient):
    dependency: _Dependency
    id: str
    summary: str | None = None


class _UvSummary(_Lenient):
    audited_packages: int = Field(ge=1)  # a lock file that an update moved names some


class _Status(_Lenient):
    """What an index says of a project as a whole: archived, deprecated, quarantined."""

    name: str
    status: str
    reason: str | None = None


class _UvReport(_Lenient):
    """As `uv audit` tells it."""

    summary: _UvSummary
    vulnerabilities: list[_Known]
    adverse_statuses: list[_Status]


class _Advisory(_Lenient):
    url: str = ""
    title: str = ""


class _Vulnerable(_Lenient):
    name: str
    via: list[_Advisory | str]


class _NpmReport(_Lenient):
    """As `npm audit` tells it; what could not be asked has another form, and the same exit status."""

    auditReportVersion: Literal[2]  # noqa: N815 - npm's name
    vulnerabilities: dict[str, _Vulnerable]
    metadata: dict[str, JsonValue]


@dataclass(frozen=True)
class Ways:
    """What the deployment opens for updates.

    Attributes:
        image: With the tools, by digest; None where it was not built.
        egress: Where runs may go; None is nowhere.
    """

    image: str | None = None
    egress: EgressSettings | None = None

    @property
    def mirror(self) -> MirrorSettings | None:
        """The registries."""
        return self.egress.mirrors.get(REGISTRIES) if self.egress is not None else None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Of the registries; none where none is opened."""
        return self.mirror.hosts if self.mirror is not None else ()

    def audited_at(self, ecosystem: Ecosystem) -> str | None:
        """Who is asked what is vulnerable; None where a registry for this ecosystem is not configured."""
        if ecosystem != "npm":
            return f"https://{OSV}/"
        return self.mirror.npm_registry if self.mirror is not None else None

    def leads_to(self, host: str) -> bool:
        """Whether an audit may reach it."""
        return self.egress is not None and host in self.egress.purposes.get(ADVISORIES, ())


class UpdateActivities:
    """The steps of one worker, on one engine.

    Args:
        sandbox: Runs them.
        ways: What the deployment opens.
    """

    def __init__(self, sandbox: Sandbox, ways: Ways) -> None:
        self._sandbox, self._ways = sandbox, ways

    @implements(UPDATE_DEPENDENCIES)
    async def update_dependencies(self, request: UpdateDependenciesRequest) -> DependenciesUpdated:
        """Have a lock file written anew. What a tool or the deployment refuses is a result.

        Raises:
            SandboxError: As the tree in `sandbox/errors.py` says; the guard maps it.
            ConnectorError: The artifact store failed.
        """
        image, hosts = self._ways.image, self._ways.hosts
        if not hosts:
            return DependenciesUpdated(refused=_NO_REGISTRIES)
        if image is None:
            return DependenciesUpdated(refused=_NO_IMAGE)
        asked: dict[str, JsonValue] = {
            "ecosystem": request.ecosystem,
            "packages": list(request.packages),
            "write": list(request.write),
            "hosts": list(hosts),
        }
        tree = Tree(CHECK_OUT, request.source.commit, (_pack(request.source),))
        result = await self._ran(update_spec(_run(), image, tree, asked))
        said = _answer(result, _Updated)
        if isinstance(said, str):
            return DependenciesUpdated(refused=said, hosts=hosts)
        return _updated(said, result).model_copy(update={"hosts": hosts})

    @implements(AUDIT_DEPENDENCIES)
    async def audit_dependencies(self, request: AuditDependenciesRequest) -> DependenciesAudited:
        """Ask what is known against the versions of a lock file. Where nobody answers, that is told, and no finding.

        Raises:
            SandboxError: As the tree in `sandbox/errors.py` says; the guard maps it.
            ConnectorError: The artifact store failed.
        """
        kind = ecosystem_of(request.lock)
        service = self._ways.audited_at(kind) if kind is not None else None
        if kind is None or service is None or self._ways.image is None:
            return DependenciesAudited(refused=f"nothing here audits {visible(request.lock)!r}")
        if not self._ways.leads_to(host := service.split("/")[2]):
            return DependenciesAudited(refused=_NO_ADVISORIES.format(host=host))
        patch = InputArtifact(reference=request.patch, path=PATCH)
        tree = Tree(CHECK_OUT + APPLY, request.source.commit, (_pack(request.source), patch))
        spec = audit_spec(_run(), self._ways.image, tree, lock=request.lock, service=service)
        said = _answer(await self._ran(spec), _Audited)
        if isinstance(said, str):
            return DependenciesAudited(refused=f"the audit could not run: {said}")
        return _audited(kind, said)

    async def _ran(self, spec: RunSpec) -> RunResult:
        live = LiveOutput((), beat=activity.heartbeat)
        result = await self._sandbox.run(spec, on_output=live.take)
        live.end()
        return result


def _run() -> str:
    info = activity.info()
    return f"{info.workflow_run_id}-{info.activity_id}-{info.attempt}"


def _pack(source: Source) -> InputArtifact:
    return InputArtifact(reference=source.pack, path=PACK)


def _answer(result: RunResult, kind: type[_Said]) -> _Said | str:
    """What a run answered, or why it did nothing.

    Raises:
        SandboxUnavailable: It answered nothing that can be read.
    """
    if result.ended in {"timeout", "out_of_memory"}:
        return f"it took more {'time' if result.ended == 'timeout' else 'memory'} than it may, and was stopped"
    if result.ended != "exit" or result.exit_code != 0 or result.stdout.truncated:
        raise SandboxUnavailable(f"an update ended with {result.ended}: {redact.tail(result.stderr.text, _SHOWN)!r}")
    try:
        return kind.model_validate_json(result.stdout.head)
    except ValidationError:
        try:
            return visible(redact.tail(_Refusal.model_validate_json(result.stdout.head).refused, _LONGEST))
        except ValidationError as error:
            raise SandboxUnavailable("the answer of an update cannot be read") from error


def _updated(said: _Updated, result: RunResult) -> DependenciesUpdated:
    kept = {one.path.removeprefix(f"{OUT}/"): one for one in result.artifacts}
    if not {"before", "after", "all", "patch"} <= kept.keys():
        return DependenciesUpdated(refused="the lock file, or what it needs, is larger than what is kept of an update")
    moved = kept["patch"].size > 0
    if any(one.reason != "missing" for one in result.refused):
        return DependenciesUpdated(
            refused="the packages are larger than what is kept of an update: test them elsewhere"
        )
    after = kept["after"]
    file = ChangedFile(
        path=said.lock, change="changed", executable=said.executable, size=after.size, content=after.reference
    )
    libraries = kept.get("libraries.tar")
    return DependenciesUpdated(
        lock=said.lock,
        ecosystem=said.ecosystem,
        before=kept["before"].reference,
        every=kept["all"].reference,
        file=file if moved else None,
        sums=_sums(said, kept) if moved else None,
        patch=kept["patch"].reference if moved else None,
        patch_size=kept["patch"].size,
        libraries=libraries.reference if libraries is not None else None,
        links={visible(name)[:_SHOWN]: visible(url)[:_SHOWN] for name, url in [*said.links.items()][:500]},
        downloads=len(result.downloads),
    )


def _sums(said: _Updated, kept: Mapping[str, Artifact]) -> SumsUpdated | None:
    path = sums_of(said.lock)
    if path is None or not set(SUMS) <= kept.keys():
        return None
    before, after, every = (kept[one] for one in SUMS)
    file = ChangedFile(path=path, change="changed", size=after.size, content=after.reference)
    return SumsUpdated(before=before.reference, every=every.reference, file=file)


def _audited(kind: Ecosystem, said: _Audited) -> DependenciesAudited:
    """What two reports say, each in its one form; any other is an audit that did not run."""
    tool, read = {"npm": ("npm audit", _of_npm), "go": ("OSV", _of_uv)}.get(kind, ("uv audit", _of_uv))
    try:
        before, after = read(said.before), read(said.after)
    except ValueError:
        words = next((one["message"] for one in (said.after, said.before) if isinstance(one.get("message"), str)), None)
        why = f"says {visible(redact.tail(words, _SHOWN))!r}" if words else "has told nothing in a form that is known"
        return DependenciesAudited(refused=f"the audit could not run: `{tool}` {why}", tool=tool)
    known, now = {one.same for one in before}, {one.same for one in after}
    return DependenciesAudited(
        tool=tool,
        brought=tuple(one for one in after if one.same not in known)[:MOST_FINDINGS],
        left=tuple(one for one in after if one.same in known)[:MOST_FINDINGS],
        mended=tuple(one for one in before if one.same not in now)[:MOST_FINDINGS],
    )


def _of_uv(report: Mapping[str, Any]) -> list[Finding]:
    said = _UvReport.model_validate(report)
    return [
        *(_finding(one.id, one.dependency.name, one.summary or "") for one in said.vulnerabilities),
        *(_finding(f"status {one.status}", one.name, one.reason or "") for one in said.adverse_statuses),
    ]


def _of_npm(report: Mapping[str, Any]) -> list[Finding]:
    said = _NpmReport.model_validate(report)
    return [
        _finding(why.url or why.title, one.name, why.title)
        for one in said.vulnerabilities.values()
        for why in one.via
        if not isinstance(why, str)
    ]


def _finding(name: str, package: str, says: str) -> Finding:
    words = visible(redact.tail(" ".join(says.split()), _SHOWN))
    return Finding(id=visible(name)[:_SHOWN], package=visible(package)[:_SHOWN], says=words)
