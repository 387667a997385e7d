"""The relay's rules and its masking, in all their corners; on the real CLI they are tried in test_attacks.py."""

import json

import pytest

from sandbox.pulumi.inside.rules import RUN_CODE, Rules
from sandbox.pulumi.inside.scrubber import MASK, Scrubber

RULES = Rules({"aws", "banksman", "command"}, {"organization/network/prod"})


@pytest.mark.parametrize("package", sorted(RUN_CODE))
def test_providers_that_run_code_are_refused_even_where_they_are_allowed(package: str) -> None:
    rules = Rules({package}, ())
    for token in (f"{package}:index:Thing", f"pulumi:providers:{package}", f"{package}:dynamic:Resource"):
        assert f"{package!r}" in rules.resource(token, custom=True, stack="")
    assert f"{package!r}" in rules.function(f"{package}:index:run", stack="")


@pytest.mark.parametrize(
    ("token", "custom"),
    [
        ("aws:s3/bucket:Bucket", True),
        ("pulumi:providers:aws", True),
        ("pulumi:pulumi:Stack", False),
        ("my:own:Component", False),
        ("command:local:Command", False),  # only a name: no provider is asked
    ],
)
def test_what_a_program_may_have(token: str, custom: bool) -> None:
    assert RULES.resource(token, custom=custom, stack="") == ""


@pytest.mark.parametrize(
    "token", ["gcp:storage:Bucket", "pulumi:providers:gcp", "pulumi:pulumi:Stash", "", "aws", "AWS:s3:Bucket", ":::"]
)
def test_what_it_may_not_have(token: str) -> None:
    assert (RULES.resource(token, custom=True, stack="") == "") == (token == "aws")


def test_other_stacks_are_read_only_by_name() -> None:
    reference = "pulumi:pulumi:StackReference"
    assert RULES.resource(reference, custom=True, stack="organization/network/prod") == ""
    assert "'organization/billing/prod'" in RULES.resource(reference, custom=True, stack="organization/billing/prod")
    assert RULES.resource(reference, custom=True, stack="prod") != ""
    assert RULES.resource(reference, custom=False, stack="organization/billing/prod") != ""
    for function in ("pulumi:pulumi:readStackOutputs", "pulumi:pulumi:readStackResourceOutputs"):
        assert RULES.function(function, stack="organization/network/prod") == ""
        assert RULES.function(function, stack="organization/billing/prod") != ""
    assert RULES.function("pulumi:pulumi:getResource", stack="") == ""


@pytest.mark.parametrize(
    "secret", ["plain-canary", 'with "quotes" \\ and\nlines', "with <angles> & more", "umlaut-äöü", "  spaces around  "]
)
def test_a_secret_is_masked_however_it_is_written(secret: str) -> None:
    scrubber = Scrubber()
    scrubber.learn([secret])
    go = json.dumps(secret).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    forms = [secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), json.dumps(json.dumps(secret)), go]
    for form in forms:
        clean = scrubber.clean(f"before {form} after")
        assert MASK in clean
        assert secret.strip().split("\n")[0] not in clean, form


def test_a_text_without_secrets_stays_and_short_secrets_do_not_eat_it() -> None:
    scrubber = Scrubber()
    scrubber.learn(["", "a", "ab\ncd", "true-canary"])
    assert scrubber.clean("a text about nothing: true") == "a text about nothing: true"
