"""`banksman manifest`, as people and scripts call it."""

import json
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from tests.workflows.manifest.told import SMALL, WHOLE
from workers.cli import app
from workers.commands import manifest
from workers.commands.repository_look import look
from workflows.manifest.reading import read_manifest
from workflows.manifest.schema import manifest_schema

POLICY: Final = """\
people: {alice: [slack:U0ALICE], bob: [slack:U0BOB]}
groups: {platform: [alice, bob]}
environments:
  staging: {phase: production}
  production:
    phase: production
    actions: [{allow: pulumi.update_stack, where: {repository_owner: acme}}]
    approvals: [{action: pulumi.update_stack, groups: [platform], quorum: 2}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    """What the command says, on both outputs."""
    done = CliRunner().invoke(app, ["manifest", *words])
    assert done.exit_code == code, done.output
    return done.output


def write(folder: Path, text: str) -> Path:
    file = folder / "banksman.yaml"
    file.write_bytes(text.encode())
    return file


def test_a_right_one_is_told_so(folder: Path) -> None:
    write(folder, WHOLE)
    assert run("check") == "✓ banksman.yaml: shop-web, of web\n"
    assert json.loads(run("check", "--json")) == {"file": "banksman.yaml", "valid": True, "mistakes": []}


def test_every_mistake_is_told_with_its_place(folder: Path) -> None:
    write(folder, SMALL.replace("team", "taem") + "tset: {}\n")
    said = run("check", code=2).splitlines()
    assert said[0].startswith("error: banksman.yaml:4:3: service.owner.team: is missing; add it, as in web")
    assert said[1].startswith("banksman.yaml:4:11: service.owner.taem: unknown key 'taem'; did you mean 'team'?")
    assert said[2].startswith("banksman.yaml:5:1: tset: unknown key 'tset'; did you mean 'test'?")
    found = json.loads(run("check", "banksman.yaml", "--json", code=2))
    assert found["valid"] is False
    assert [(one["line"], one["column"], one["key"]) for one in found["mistakes"]][-1] == (5, 1, "tset")


def test_what_would_command_a_terminal_is_written_out(folder: Path) -> None:
    write(folder, SMALL + "\x1b]0;x\x07: 1\n")
    assert "\x1b" not in run("check", code=2)


def test_one_that_is_not_there_is_told(folder: Path) -> None:
    assert "cannot be read (No such file or directory); `banksman manifest init` writes" in run("check", code=2)
    assert "cannot be read (Is a directory)" in run("check", str(folder), code=2)


def test_one_without_an_end_is_not_read_to_it() -> None:
    assert "is larger than 64 kB" in run("check", "/dev/zero", code=2)


def test_the_deployments_policy_and_purposes_are_compared(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    write(folder, SMALL + "policy: {approvals: [{action: pulumi.*, quorum: 1}]}\ntest: {command: [x], purpose: git}\n")
    assert run("check").startswith("✓")
    told = run("check", "--policy", "policy.yaml", "--purpose", "other", code=2)
    assert "banksman.yaml:6:31: test.purpose: the deployment has no purpose 'git'" in told
    write(folder, SMALL + "policy: {approvals: [{action: pulumi.update_stack, quorum: 1, approve_within: 9d}]}\n")
    told = run("check", "--policy", "policy.yaml", code=2)
    assert "1 is fewer than the 2 of the deployment; a manifest can only tighten" in told
    write(folder, SMALL + "policy: {approvals: [{action: pulumi.update_stack, approve_within: 1d}]}\n")
    assert run("check", "--policy", "policy.yaml", "--purpose", "other").startswith("✓")


def test_a_wrong_policy_is_told_as_one(folder: Path) -> None:
    write(folder, SMALL)
    (folder / "policy.yaml").write_text("environments: {}", encoding="utf-8")
    assert "policy.yaml:1: environments" in run("check", "--policy", "policy.yaml", code=2)


def test_it_is_explained_with_who_approves(folder: Path) -> None:
    write(folder, SMALL + "pulumi: {stacks: {production: live}}\n")
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    assert "1. Bring up production: plan the stack live" in run("explain")
    assert "2 of platform: alice, bob" not in run("explain")
    told = run("explain", "banksman.yaml", "--policy", "policy.yaml", "--repository", "acme/shop")
    assert "allowed with an approval" in told
    assert "2 of platform: alice, bob" in told
    assert "denied (no_allow_rule)" in run("explain", "--policy", "policy.yaml", "--repository", "other/shop")
    assert "is not OWNER/NAME" in run("explain", "--repository", "shop", code=2)


def test_a_key_is_explained_without_a_file() -> None:
    assert "when left out: `10s`" in run("explain", "verify.http[0].every")
    assert "did you mean 'verify.within'?" in run("explain", "verify.withn", code=2)
    assert "banksman manifest explain verify" in run("explain", "%%%", code=2)


def test_a_wrong_one_is_not_explained(folder: Path) -> None:
    write(folder, SMALL + "x: 1\n")
    assert "unknown key 'x'" in run("explain", code=2)


def test_a_value_is_set_and_the_comments_stay(folder: Path) -> None:
    file = write(folder, WHOLE)
    file.chmod(0o640)
    assert run("set", "verify.within", "25m") == "set verify.within in banksman.yaml\n"
    assert file.read_text(encoding="utf-8") == WHOLE.replace("within: 20m", "within: 25m")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in folder.iterdir()] == ["banksman.yaml"]
    run("set", "service.description", "a: b # c")
    assert read_manifest(file.read_bytes()).manifest.service.description == "a: b # c"


def test_where_nothing_can_be_written_the_file_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(folder, SMALL)

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest, "NamedTemporaryFile", full)
    assert "cannot be written (No space left on device)" in run("set", "service.name", "other", code=2)
    assert file.read_text(encoding="utf-8") == SMALL


def test_lines_of_windows_stay_so(folder: Path) -> None:
    file = write(folder, SMALL.replace("\n", "\r\n"))
    run("set", "service.name", "other")
    assert file.read_bytes() == SMALL.replace("shop", "other").replace("\n", "\r\n").encode()


def test_a_link_to_a_manifest_stays_a_link(folder: Path) -> None:
    (folder / "there").mkdir()
    real = write(folder / "there", SMALL)
    (folder / "banksman.yaml").symlink_to(real)
    run("set", "service.name", "other")
    assert (folder / "banksman.yaml").is_symlink()
    assert "name: other" in real.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("version", "2", "version: `2` is not known here; write 1"),
        ("service.name", "Shop Web", "is not a name"),
        ("policy.actions", "[{allow: '*'}]", "a manifest allows nothing"),
        ("tset.command", "[x]", "did you mean 'test'?"),
        ("service.owner", "[x]", "is not a mapping"),
        ("a b", "1", "is not a key; write it as in verify.within"),
        ("test.command", "[make", "the value cannot be read"),
        ("test.command", "&a [x]", "anchors and aliases"),
        ("test.command[3]", "x", "there is no list yet"),
    ],
)
def test_nothing_is_written_that_is_not_valid(folder: Path, key: str, value: str, part: str) -> None:
    file = write(folder, SMALL)
    assert part in run("set", key, value, code=2)
    assert file.read_text(encoding="utf-8") == SMALL


def test_what_cannot_be_read_is_not_changed(folder: Path) -> None:
    file = write(folder, "version: *x\n")
    assert "`banksman manifest check banksman.yaml` says why" in run("set", "version", "1", code=2)
    assert file.read_text(encoding="utf-8") == "version: *x\n"


def test_the_schema_is_printed() -> None:
    assert json.loads(run("schema")) == manifest_schema()


def test_a_first_one_is_written_once(folder: Path) -> None:
    assert "wrote banksman.yaml" in run("init")
    assert run("check").startswith("✓")
    kept = write(folder, SMALL)
    assert "is there already" in run("init", code=2)
    assert kept.read_text(encoding="utf-8") == SMALL
    assert "is no folder" in run("init", "nowhere", code=2)


def test_a_link_that_leads_elsewhere_is_not_written_through(folder: Path) -> None:
    (folder / "banksman.yaml").symlink_to(folder / "elsewhere")
    assert "is there already" in run("init", code=2)
    assert not (folder / "elsewhere").exists()


def repository(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def test_what_a_repository_shows_is_proposed(folder: Path) -> None:
    repository(
        folder,
        pyproject_dot_toml='[project]\nname = "Shop.API"\n',
        alembic_dot_ini="",
        infra__Pulumi_dot_yaml="name: shop",
        infra__Pulumi_dot_production_dot_yaml="",
        infra__Pulumi_dot_staging_dot_yaml="",
        CODEOWNERS="* @acme/web\n/docs @acme/writers\n",
    )
    run("init")
    text = (folder / "banksman.yaml").read_text(encoding="utf-8")
    found = read_manifest(text.encode()).manifest
    assert (found.service.name, found.service.owner.team) == ("shop-api", "web")
    assert found.test is not None
    assert found.test.command[0] == "sh"
    assert found.pulumi is not None
    assert (found.pulumi.directory, list(found.pulumi.stacks)) == ("infra", ["staging", "production"])
    assert "#   command: [alembic, upgrade, head]" in text


@pytest.mark.parametrize(
    ("files", "test", "build"),
    [
        ({"Makefile": "test: x\n\ty\nbuild:\n"}, ("make", "test"), ("make", "build")),
        ({"package_dot_json": '{"scripts": {"test": "jest"}}'}, ("sh", "-c", "npm ci && npm test"), ()),
        ({"go_dot_mod": ""}, ("go", "test", "./..."), ("go", "build", "./...")),
        ({"Cargo_dot_toml": ""}, ("cargo", "test"), ("cargo", "build", "--release")),
        ({}, (), ()),
    ],
)
def test_how_it_is_tested_and_built_is_seen(
    folder: Path, files: dict[str, str], test: tuple[str, ...], build: tuple[str, ...]
) -> None:
    found = look(repository(folder, **files))
    assert (found.test, found.build) == (test, build)


HOSTILE: Final = "x\nversion: 2\npolicy: {} # \u202e"


def test_a_repository_of_anybodys_proposes_nothing_but_a_manifest(folder: Path) -> None:
    repository(
        folder,
        package_dot_json=json.dumps({"name": HOSTILE, "scripts": {"test": HOSTILE}}),
        CODEOWNERS=f"* @acme/{HOSTILE}\n",
        Pulumi_dot_yaml=HOSTILE,
    )
    (folder / "Pulumi.a: b\n.yaml").touch()
    (folder / "Pulumi.ok.yaml").touch()
    (folder / "inner\nversion: 3").mkdir()
    run("init")
    found = read_manifest((folder / "banksman.yaml").read_bytes()).manifest
    assert found.version == 1
    assert found.service.owner.team == "x"
    assert found.pulumi is not None
    assert list(found.pulumi.stacks) == ["ok"]


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[1]", '{"scripts": 3, "name": []}'])
def test_files_that_are_not_what_they_are_called_are_passed_over(folder: Path, text: str) -> None:
    found = look(repository(folder, package_dot_json=text, pyproject_dot_toml=text))
    assert found.name == folder.name
    assert found.test == ()


def test_neither_links_nor_large_files_are_read(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "package.json"
    secret.write_text('{"name": "secret", "scripts": {"test": "x"}}', encoding="utf-8")
    (folder / "package.json").symlink_to(secret)
    (folder / "Makefile").write_text("test:\n" + " " * 300_000, encoding="utf-8")
    (folder / "loop").symlink_to(folder)
    found = look(folder)
    assert (found.name, found.test) == (folder.name, ())
