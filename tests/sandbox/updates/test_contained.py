"""An update in its container: real uv and npm through the mirror, and its tests in another one without a network."""

import tarfile
from io import BytesIO

import pytest

from activities.coding.contracts import JudgeUpdateRequest
from activities.coding.updates import UpdateGate
from activities.sandbox.session_contracts import OpenSessionRequest, ProgramRun, RunProgramRequest
from activities.sandbox.update_contracts import (
    AuditDependenciesRequest,
    DependenciesUpdated,
    UpdateDependenciesRequest,
)
from sandbox.gate.kinds import Kind
from tests.sandbox.updates.conftest import Contained
from tests.sandbox.updates.modules import GO_BEFORE, SHOP, go_mod, go_sum
from tests.sandbox.updates.registries import HOSTS
from tests.sandbox.updates.working import ASKED, BEFORE, PROJECT, REPOSITORY, TESTED_SO, WEB, lock, pins

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="session")]
PYTHON = {"pyproject.toml": PROJECT, "uv.lock": lock(*BEFORE), "test_shop.py": TESTED_SO}


async def ran_with(
    at: Contained, made: DependenciesUpdated, request: UpdateDependenciesRequest, *command: str
) -> ProgramRun:
    asked = OpenSessionRequest(source=request.source, patch=made.patch, libraries=made.libraries)
    opened = await at.run(at.sessions.open_session, asked)
    run = RunProgramRequest(session=opened.session, repository=REPOSITORY, command=command)
    return await at.run(at.sessions.run_program, run)


def judging(made: DependenciesUpdated) -> JudgeUpdateRequest:
    asked = made.model_dump(
        include={"lock", "before", "every", "file", "sums", "patch", "patch_size", "hosts", "links"}
    )
    return JudgeUpdateRequest.model_validate({"repository": REPOSITORY, "kind": Kind.DEPS, **asked})


async def test_uv_updates_through_the_mirror_and_tests_have_the_new_versions(contained: Contained) -> None:
    request = UpdateDependenciesRequest(source=await contained.source(**PYTHON))
    made = await contained.run(contained.steps.update_dependencies, request)
    assert made.refused is None
    assert set(made.hosts) == set(HOSTS)
    judged = await UpdateGate(contained.store).judge_update(judging(made))
    assert judged.refusals == ()
    assert [(one.name, one.before, one.after) for one in judged.moved] == [
        ("helper", "", "1.0"),
        ("hello", "1.0", "1.1"),
        ("other", "2.0", "2.1"),
    ]
    assert judged.moved[1].link == "https://code.example.com/hello/changes"
    ran = await ran_with(contained, made, request, "python3", "-m", "unittest", "-q")
    assert (ran.exit_code, ran.ended) == (0, "exit"), ran.stderr


async def test_npm_updates_and_no_script_of_a_package_runs(contained: Contained) -> None:
    """The repository's own `.npmrc` asks for scripts, and for another registry: it is not read."""
    request = UpdateDependenciesRequest(source=await contained.source(**WEB), packages=("left",))
    made = await contained.run(contained.steps.update_dependencies, request)
    assert made.refused is None
    judged = await UpdateGate(contained.store).judge_update(judging(made))
    assert judged.refusals == ()
    assert [(one.name, one.before, one.after) for one in judged.moved] == [
        ("right", "", "1.0.0"),
        ("left", "1.0.0", "1.2.0"),
    ]
    ran = await ran_with(contained, made, request, "node", "test.js")
    assert (ran.exit_code, ran.ended) == (0, "exit"), ran.stderr
    with tarfile.open(fileobj=BytesIO(await contained.store.get(made.libraries or ""))) as archive:
        assert not any(name.endswith("/ran") for name in archive.getnames())


async def test_pins_are_updated_through_the_mirror_and_tests_have_the_new_versions(contained: Contained) -> None:
    files = {"requirements.in": ASKED, "requirements.txt": pins(*BEFORE), "test_shop.py": TESTED_SO}
    request = UpdateDependenciesRequest(source=await contained.source(**files))
    made = await contained.run(contained.steps.update_dependencies, request)
    assert (made.refused, made.lock, made.ecosystem) == (None, "requirements.txt", "pip")
    judged = await UpdateGate(contained.store).judge_update(judging(made))
    assert judged.refusals == ()
    assert [(one.name, one.after) for one in judged.moved] == [("helper", "1.0"), ("hello", "1.1"), ("other", "2.1")]
    ran = await ran_with(contained, made, request, "python3", "-m", "unittest", "-q")
    assert (ran.exit_code, ran.ended) == (0, "exit"), ran.stderr


async def test_go_updates_through_the_mirror_and_tests_have_the_new_versions(contained: Contained) -> None:
    tested = 'package shop\n\nimport "testing"\n\nfunc TestIt(t *testing.T) {\n\tif Versions != "v1.1.0v1.1.0" {\n'
    tested += "\t\tt.Fatal(Versions)\n\t}\n}\n"
    files = {"go.mod": go_mod(*GO_BEFORE), "go.sum": go_sum(*GO_BEFORE), "shop.go": SHOP, "shop_test.go": tested}
    request = UpdateDependenciesRequest(source=await contained.source(**files))
    made = await contained.run(contained.steps.update_dependencies, request)
    assert (made.refused, made.lock, made.ecosystem) == (None, "go.mod", "go")
    judged = await UpdateGate(contained.store).judge_update(judging(made))
    assert judged.refusals == ()
    assert [one.after for one in judged.moved] == ["v1.0.0", "v1.1.0", "v1.1.0"]
    ran = await ran_with(contained, made, request, "go", "test", "./...")
    assert (ran.exit_code, ran.ended) == (0, "exit"), ran.stderr


async def test_a_registry_that_leads_elsewhere_is_not_followed(contained: Contained) -> None:
    """Its index names a file; whoever has that file sends the run to a host that is none of the deployment's."""
    project = PROJECT.replace('"other>=2"', '"away>=1", "other>=2"')
    source = await contained.source(**{**PYTHON, "pyproject.toml": project})
    made = await contained.run(contained.steps.update_dependencies, UpdateDependenciesRequest(source=source))
    assert "away" in (made.refused or "")
    assert (made.file, made.patch, made.libraries) == (None, None, None)


async def test_an_audit_that_reaches_nobody_it_believes_has_not_run(contained: Contained) -> None:
    """The host is open and answers, and cannot prove that it is who it says."""
    source = await contained.source(**WEB)
    made = await contained.run(
        contained.steps.update_dependencies, UpdateDependenciesRequest(source=source, packages=("left",))
    )
    asked = AuditDependenciesRequest(source=source, patch=made.patch or "", lock="package-lock.json")
    audited = await contained.run(contained.steps.audit_dependencies, asked)
    assert (audited.refused or "").startswith("the audit could not run: `npm audit` says")
    assert audited.brought == audited.left == ()
