"""A pack's files are read as an attacker's, and so is what a pack says of itself."""

import json

import pytest
import yaml

from sandbox.errors import SpecRefused
from sandbox.pulumi.inside.properties import leaves_of_text, secrets_in, wrong_schema
from sandbox.pulumi.inside.scrubber import Scrubber
from sandbox.pulumi.policies import CONFIG, PACK, read_pack

PYTHON = b"runtime: python\n"


def test_what_the_engine_is_given_holds_only_what_was_taken() -> None:
    said = b"runtime: {name: python, options: {virtualenv: venv}}\nversion: 1.0.0\ndescription: x\nauthor: y\n"
    pack = read_pack("policies/house", said, b'{"named": {"longest": 3}, "all": "mandatory"}')
    written = pack.written()
    assert yaml.safe_load(written[PACK]) == {"runtime": "python", "version": "1.0.0"}
    assert json.loads(written[CONFIG]) == {"named": {"longest": 3}, "all": "mandatory"}
    plain = read_pack("policies", PYTHON, None).written()
    assert yaml.safe_load(plain[PACK]) == {"runtime": "python", "version": ""}
    assert plain[CONFIG] == b""


@pytest.mark.parametrize("folder", ["policies/../up", "policies/a/b", "/policies", "policies/-x", "other", "policies/"])
def test_a_folder_that_leads_elsewhere_is_refused(folder: str) -> None:
    with pytest.raises(SpecRefused, match="rename its folder"):
        read_pack(folder, PYTHON, None)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"runtime: nodejs\n", "the runtime 'nodejs' in 'policies/x/PulumiPolicy.yaml'"),
        (b"runtime: {name: python, options: {python: ./evil}}\n", "the runtime's option 'python'"),
        (b"runtime: python\nmain: ../evil\n", "'main' in 'policies/x/PulumiPolicy.yaml' is not known"),
        (b"runtime: python\nplugins: {}\n", "'plugins' in 'policies/x/PulumiPolicy.yaml' is refused"),
        (b"runtime: python\nversion: 1\n", "'version'"),
        (b"a: [", "is no YAML"),
    ],
)
def test_what_a_pack_may_not_say_is_refused_by_name(said: bytes, words: str) -> None:
    with pytest.raises(SpecRefused, match=words):
        read_pack("policies/x", said, None)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"[]", "must be an object"),
        (b"{", "is no JSON"),
        (b'{"a": "remediate"}', "the level 'remediate' of 'a'"),
        (b'{"a": {"enforcementLevel": "remediate"}}', "the level 'remediate' of 'a'"),
        (b'{"a": 3}', "the level '3' of 'a'"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_by_name(config: bytes, words: str) -> None:
    with pytest.raises(SpecRefused, match=words):
        read_pack("policies/x", PYTHON, config)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"a": {"$ref": "file:///run/secrets/passphrase"}}, "'$ref'"),
        ({"a": {"items": [{"anyOf": [{"$ref": "http://127.0.0.1/"}]}]}}, "'$ref'"),
        ({"a": {"$schema": "http://evil.example.com"}}, "'$schema'"),
        ({"a": "no schema"}, "no schema"),
        ({"a": None}, "no schema"),
    ],
)
def test_a_schema_that_leads_the_engine_elsewhere_is_seen(schema: dict[str, object], words: str) -> None:
    assert words in wrong_schema(schema)
    assert wrong_schema({"a": {"type": "string", "default": "$ref", "enum": ["$x"]}}) == ""


def test_secrets_are_found_wherever_they_are_and_masked_for_packs_alone() -> None:
    marked = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": {"a": ["deep", 12345]}}
    message = {"resources": [{"properties": {"x": [marked], "y": "plain"}}]}
    assert sorted(secrets_in(message)) == ["12345", "deep"]
    assert sorted(leaves_of_text('{"a": "b"}')) == ["b", '{"a": "b"}']
    known = Scrubber()
    known.learn(["of-the-run"])
    own = Scrubber(known)
    own.learn(["of-a-resource"])
    known.learn(["learnt-later"])
    assert own.clean("of-the-run of-a-resource learnt-later") == "[secret] [secret] [secret]"
    assert known.clean("of-a-resource") == "of-a-resource"
