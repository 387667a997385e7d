"""Vault's policies are what the manifests and the processes come to, and no ordinary one reaches what destroys."""

import pytest

from connectors import provider
from connectors.provider import (
    Credential,
    Logins,
    Maker,
    ManifestError,
    Provider,
    Secret,
    Twin,
    contradictions,
    providers,
)
from deploy.vault.rights import APP_ROLES, files, rights, step_policy

DESTRUCTIVE = "destructive"
SECRET = Secret(path="x/key", holds="a key")
OURS = ("banksman/", "transit/")
ENGINE = "banksman-x"


def test_the_files_are_what_is_derived() -> None:
    wanted = dict(files())
    [folder] = {path.parent for path in wanted}
    assert {path: path.read_text() for path in folder.iterdir()} == wanted


@pytest.mark.parametrize("role", [role for role in APP_ROLES if role != DESTRUCTIVE])
def test_no_ordinary_role_reaches_a_credential_that_destroys(role: str) -> None:
    credentials = [one for found in providers().values() for one in found.credentials if one.destroys]
    assert credentials
    text = rights()[role].hcl()
    for one in credentials:
        assert one.name not in text
        assert one.secret.path not in text


def test_keys_of_language_models_are_within_reach_of_the_models_role_and_of_no_other() -> None:
    [key] = [one for found in providers().values() for one in found.credentials if one.made_by is Maker.MODELS]
    assert key.secret.path == "models/+"
    reaching = [role for role in APP_ROLES if key.name in rights()[role].hcl() or "/models" in rights()[role].hcl()]
    assert reaching == ["models"]
    made = {one.path.rpartition("/")[2] for one in rights()["models"].rights if one.path.startswith("auth/")}
    assert made == {key.name}


def test_the_destructive_role_makes_these_and_no_other() -> None:
    made = {one.path.rpartition("/")[2] for one in rights()[DESTRUCTIVE].rights if one.path.startswith("auth/")}
    assert made == {one.name for found in providers().values() for one in found.credentials if one.destroys}


def test_a_token_of_a_step_reads_its_one_secret() -> None:
    for found in providers().values():
        for one in found.credentials:
            paths = [right.path for right in rights()[f"step-{one.name}"].rights if right.path.startswith(OURS)]
            if one.logins is Logins.LEND:
                assert paths == []
                continue
            sealed = ["transit/encrypt/handover"] if one.seals else []
            kept = [f"banksman/data/{kept.path}" for kept in one.keeps]
            forgotten = [f"banksman/metadata/{kept.path}" for kept in one.forgets]
            forgotten += [one.removesuffix("+") for one in forgotten if one.endswith("/+/+")]
            assert sorted(paths) == sorted([f"banksman/data/{one.secret.path}", *sealed, *kept, *forgotten])


def test_what_a_step_keeps_it_writes_and_cannot_read() -> None:
    read = Secret(path="x/key", holds="a key")
    made = Secret(path="x/made/+", holds="what it made")
    policy = step_policy(Credential(name="x-make", secret=read, purpose="makes", keeps=(made,), forgets=(made,)))
    assert [(one.path, one.may) for one in policy.rights] == [
        ("banksman/data/x/key", ("read",)),
        ("banksman/data/x/made/+", ("create", "update")),
        ("banksman/metadata/x/made/+", ("delete",)),
    ]


def test_a_step_lists_only_what_lies_below_a_name() -> None:
    made = Secret(path="x/made/+/+", holds="what it made")
    keeper = Credential(name="x-make", secret=SECRET, purpose="makes", keeps=(made,))
    forgetter = Credential(name="x-forget", secret=SECRET, purpose="forgets", forgets=(made,))
    assert [(one.path, one.may) for one in step_policy(forgetter).rights] == [
        ("banksman/data/x/key", ("read",)),
        ("banksman/metadata/x/made/+/+", ("delete",)),
        ("banksman/metadata/x/made/+/", ("list",)),
    ]
    assert contradictions([Provider(name="x", title="X", credentials=(keeper, forgetter))]) == []


@pytest.mark.parametrize(
    ("logins", "reaches"),
    [
        (None, []),
        (Logins.OPEN, [(f"{ENGINE}/config", "list"), (f"{ENGINE}/config/+", "create update delete")]),
        (
            Logins.ISSUE,
            [
                (f"{ENGINE}/roles", "list"),
                (f"{ENGINE}/roles/+", "create update read delete"),
                (f"{ENGINE}/config/+", "delete"),
                (f"sys/leases/revoke-prefix/{ENGINE}/creds/+", "update sudo"),
                (f"sys/leases/revoke-force/{ENGINE}/creds/+", "update sudo"),
            ],
        ),
        (Logins.LEND, [(f"{ENGINE}/creds/+", "read")]),
        (
            Logins.OWN,
            [
                (f"{ENGINE}/roles/+", "create update delete"),
                (f"{ENGINE}/creds/+", "read"),
                (f"sys/leases/revoke-prefix/{ENGINE}/creds/+", "update sudo"),
                (f"sys/leases/revoke-force/{ENGINE}/creds/+", "update sudo"),
            ],
        ),
        (Logins.LOOK, [(f"{ENGINE}/roles", "list"), (f"{ENGINE}/roles/+", "read")]),
    ],
)
def test_what_a_step_may_in_the_database_engine_is_its_part_of_its_providers(
    logins: Logins | None, reaches: list[tuple[str, str]]
) -> None:
    policy = step_policy(Credential(name="x-do", secret=SECRET, purpose="does", logins=logins))
    assert [(one.path, " ".join(one.may)) for one in policy.rights if not one.path.startswith(OURS)] == reaches
    assert any(one.path == "banksman/data/x/key" for one in policy.rights) is (logins is not Logins.LEND)


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        ((Credential(name="y-read", secret=SECRET, purpose="reads"),), "'y-read' of 'x' must be called x-<verb>"),
        (
            (Credential(name="x-read", secret=Secret(path="y/key", holds="a key"), purpose="reads"),),
            "'y/key' of 'x' must lie at x/<name>",
        ),
        (
            (Credential(name="x-make", secret=SECRET, purpose="makes", keeps=(Secret(path="y/made", holds="it"),)),),
            "'y/made' of 'x' must lie at x/<name>",
        ),
        (
            (Credential(name="x-make", secret=SECRET, purpose="makes", keeps=(SECRET,)),),
            "'x-make' keeps 'x/key', which it reads",
        ),
        (
            (Credential(name="x-make", secret=SECRET, purpose="makes", forgets=(Secret(path="x/a", holds="it"),)),),
            "'x-make' forgets 'x/a', which no step of 'x' keeps",
        ),
        ((Credential(name="x-read", secret=SECRET, purpose="reads"),) * 2, "two credentials are called 'x-read'"),
        (
            (
                Credential(name="x-read", secret=SECRET, purpose="reads"),
                Credential(
                    name="x-delete", secret=Secret(path="x/key", holds="a key", destroys=True), purpose="deletes"
                ),
            ),
            "'x/key' is said to destroy and not to",
        ),
    ],
)
def test_what_contradicts_itself_is_named(credentials: tuple[Credential, ...], said: str) -> None:
    [problem] = contradictions([Provider(name="x", title="X", credentials=credentials)])
    assert said in problem


def test_two_providers_of_one_name_are_named() -> None:
    assert contradictions([Provider(name="x", title="X")] * 2) == ["two providers are called 'x'"]


def test_twins_that_would_have_one_port_and_one_that_nobody_can_be_told_of_are_named() -> None:
    one = Provider(name="x", title="X", url="https://x.example", twin=Twin(port=9))
    other = Provider(name="y", title="Y", twin=Twin(port=9))
    found = contradictions([one, other])
    assert found == ["two twins have port 9", "'y' has a twin, and no url to be told of it by"]


def test_every_mistake_of_all_manifests_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "contradictions", lambda _: ["one mistake", "another"])
    with pytest.raises(ManifestError, match=r"contradict each other:\n  - one mistake\n  - another"):
        providers.__wrapped__()
