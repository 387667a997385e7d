"""The steps of updates without a container: what the deployment does not open, and reports that are none."""

from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.sandbox.contracts import Source
from activities.sandbox.update_contracts import AuditDependenciesRequest, UpdateDependenciesRequest
from activities.sandbox.updating import UpdateActivities, Ways, _Audited, _audited
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.registries import MirrorSettings
from sandbox.gate.locks import Ecosystem
from sandbox.protocol import Sandbox
from sandbox.result import RunResult
from sandbox.spec import RunSpec

IMAGE = f"sha256:{'1' * 64}"
SOURCE = Source(repository="acme/shop", commit="c" * 40, pack=f"sha256:{'2' * 64}")
OPEN = EgressSettings(mirrors={"package-registries": MirrorSettings()}, proxy_image=IMAGE)
UV: dict[str, Any] = {"summary": {"audited_packages": 2}, "vulnerabilities": [], "adverse_statuses": []}
NPM: dict[str, Any] = {"auditReportVersion": 2, "vulnerabilities": {}, "metadata": {}}
FOUND = {"dependency": {"name": "hello", "version": "1.0"}, "id": "OSV-1", "summary": "Bad."}
ADVISORY = {"url": "https://a.example.com/1", "title": "Bad."}


class Untouched(Sandbox):
    """In which nothing may run."""

    async def run(self, spec: RunSpec, **_: object) -> RunResult:
        raise AssertionError(spec)


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        (Ways(), "BANKSMAN_SANDBOX_MIRRORS under 'package-registries'"),
        (Ways(IMAGE, EgressSettings(proxy_image=IMAGE)), "BANKSMAN_SANDBOX_MIRRORS"),
        (Ways(None, OPEN), "`python -m deploy.images --updates`"),
    ],
)
async def test_nothing_begins_unless_the_deployment_opens_it(ways: Ways, told: str) -> None:
    steps = UpdateActivities(Untouched(), ways)  # pyright: ignore[reportAbstractUsage] - nothing else of it is called
    made = await ActivityEnvironment().run(steps.update_dependencies, UpdateDependenciesRequest(source=SOURCE))
    assert told in (made.refused or "")


@pytest.mark.parametrize(
    ("lock", "host"),
    [
        ("uv.lock", "api.osv.dev"),
        ("package-lock.json", "registry.npmjs.org"),
        ("requirements/base.txt", "api.osv.dev"),
        ("api/go.mod", "api.osv.dev"),
    ],
)
async def test_an_audit_without_a_way_to_whoever_knows_has_not_run(lock: str, host: str) -> None:
    steps = UpdateActivities(Untouched(), Ways(IMAGE, OPEN))  # pyright: ignore[reportAbstractUsage] - as above
    asked = AuditDependenciesRequest(source=SOURCE, patch=IMAGE, lock=lock)
    audited = await ActivityEnvironment().run(steps.audit_dependencies, asked)
    assert f"name {host!r} in BANKSMAN_SANDBOX_PURPOSES under 'package-advisories'" in (audited.refused or "")


async def test_what_is_no_lock_file_is_audited_by_nobody() -> None:
    steps = UpdateActivities(Untouched(), Ways(IMAGE, OPEN))  # pyright: ignore[reportAbstractUsage] - as above
    asked = AuditDependenciesRequest(source=SOURCE, patch=IMAGE, lock="Cargo.lock")
    audited = await ActivityEnvironment().run(steps.audit_dependencies, asked)
    assert audited.refused == "nothing here audits 'Cargo.lock'"


@pytest.mark.parametrize(
    ("kind", "known", "report"),
    [
        ("python", UV, {}),
        ("python", UV, {"vulnerabilities": []}),
        ("python", UV, {**UV, "vulnerabilities": [{"id": "x"}]}),
        ("python", UV, {**UV, "adverse_statuses": [{"status": "quarantined"}]}),
        ("python", UV, {**UV, "summary": {"audited_packages": 0}}),
        ("python", UV, NPM),
        ("npm", NPM, {"message": "503 Service Unavailable", "error": {"summary": ""}}),
        ("npm", NPM, {**NPM, "auditReportVersion": 3}),
        ("npm", NPM, {"vulnerabilities": {}}),
        ("pip", UV, {}),
        ("pip", UV, {**UV, "summary": {"audited_packages": 0}}),
        ("go", UV, {}),
        ("go", UV, {**UV, "summary": {"audited_packages": 0}}),
        ("go", UV, {**UV, "vulnerabilities": [{"id": "x"}]}),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_report_in_no_known_form_is_an_audit_that_did_not_run(
    kind: Ecosystem, known: dict[str, Any], report: dict[str, Any], when: str
) -> None:
    audited = _audited(kind, _Audited.model_validate({"before": known, "after": known, when: report}))
    assert (audited.refused or "").startswith("the audit could not run")
    assert audited.brought == audited.left == audited.mended == ()


@pytest.mark.parametrize(
    ("kind", "clean", "bad"),
    [
        ("python", UV, {**UV, "vulnerabilities": [FOUND]}),
        ("python", UV, {**UV, "adverse_statuses": [{"name": "hello", "status": "quarantined"}]}),
        ("go", UV, {**UV, "vulnerabilities": [FOUND]}),
        ("npm", NPM, {**NPM, "vulnerabilities": {"hello": {"name": "hello", "via": [ADVISORY, "other"]}}}),
    ],
)
def test_what_is_brought_left_and_mended_is_told_apart(
    kind: Ecosystem, clean: dict[str, Any], bad: dict[str, Any]
) -> None:
    def told(before: dict[str, Any], after: dict[str, Any]) -> tuple[int, int, int]:
        audited = _audited(kind, _Audited(before=before, after=after))
        assert audited.refused is None
        return len(audited.brought), len(audited.left), len(audited.mended)

    assert told(clean, clean) == (0, 0, 0)
    assert told(clean, bad) == (1, 0, 0)
    assert told(bad, bad) == (0, 1, 0)
    assert told(bad, clean) == (0, 0, 1)
