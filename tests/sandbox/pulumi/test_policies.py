"""Policy packs on the real CLI: people see what they say, and they run where the program does, away from the keys."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connectors.pulumi.event_reader import read_events
from connectors.pulumi.events import EventLog
from connectors.pulumi.prices import load_prices
from connectors.pulumi.rendering import short_lines
from connectors.pulumi.stack_plan import Knowledge, StackPlan, refusal, stack_plan
from connectors.pulumi.stateful import load_stateful
from sandbox.pulumi.outcome import PreviewOutcome, RunOutcome
from sandbox.pulumi.policies import read_pack
from sandbox.pulumi.request import Program
from tests.sandbox.pulumi.conftest import (
    LOCKS,
    ONE_LOOP,
    PASSPHRASE_CANARY,
    PASSWORD_CANARY,
    Database,
    Stack,
    archive,
    said,
)
from tests.sandbox.pulumi.programs import CALL_PLUGINS, DATABASE, LOOK_AROUND
from tests.sandbox.pulumi.test_attacks import encrypted

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]


@pytest.fixture
def unmade() -> bool:
    return False


PACK = b"runtime: python\nversion: 1.2.3\n"
HEAD = """
import os
import pulumi
from pulumi_policy import *

def database(args):
    return args.resource_type == "banksman:postgres:Database"

"""
HOUSE = (
    HEAD
    + """
def documented(args, report):
    if database(args) and not args.props.get("comment"):
        report(f"say what {args.name} is for")

def named(args, report):
    if database(args) and len(args.props["name"]) > args.get_config()["longest"]:
        report(f"{args.name} has too long a name")

def few(args, report):
    if len([one for one in args.resources if one.resource_type == "banksman:postgres:Database"]) > 3:
        report("more than three databases")

longest = PolicyConfigSchema(properties={"longest": {"type": "integer", "default": 60}})
PolicyPack("house", [
    ResourceValidationPolicy("documented", "Databases have a comment.", documented),
    ResourceValidationPolicy("named", "Names are short.", named, EnforcementLevel.MANDATORY, longest),
    StackValidationPolicy("few", "Stacks are small.", few, EnforcementLevel.MANDATORY),
])
"""
)
ONE = """
PolicyPack("one", [ResourceValidationPolicy("only", "There is one rule.", only, EnforcementLevel.{level})])
"""


def one(body: str, *, level: str = "MANDATORY") -> str:
    """A pack with one policy on databases."""
    function = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"{HEAD}\ndef only(args, report):\n    if not database(args): return\n{function}{ONE.format(level=level)}"


def shop(stack: Stack) -> str:
    return DATABASE + f'Database("shop", "{stack.name}_shop")\n'


async def policed(stack: Stack, config: str | None = None, code: str | None = None, **packs: str) -> Program:
    """A program with packs beside it."""
    files = {f"policies/{name}/__main__.py": text for name, text in packs.items()}
    kept = await stack.store.put(archive({"__main__.py": shop(stack) if code is None else code, **files}))
    asked = config.encode() if config is not None else None
    return Program(archive=kept, policies=tuple(read_pack(f"policies/{name}", PACK, asked) for name in packs))


async def log_of(stack: Stack, outcome: RunOutcome, name: str = "preview") -> EventLog:
    step = outcome.step(name)
    assert step is not None, said(outcome)
    return read_events((await stack.text(step.events)).encode(), secrets=[SecretStr(PASSPHRASE_CANARY)])


async def plan_of(stack: Stack, outcome: PreviewOutcome) -> StackPlan:
    assert outcome.ended == "done", said(outcome)
    knowledge = Knowledge(stateful=load_stateful(), prices=load_prices(), today=datetime.now(UTC).date())
    return stack_plan(await log_of(stack, outcome), commit="0" * 40, knowledge=knowledge)


async def test_people_see_what_packs_say_and_the_plan_is_applied_under_them(stack: Stack, database: Database) -> None:
    code = await policed(stack, house=HOUSE, other=one('report("look at this")', level="ADVISORY"))
    planned = await stack.preview("", program=code)
    plan = await plan_of(stack, planned)
    assert plan.policy_packs == {"house": "1.2.3", "one": "1.2.3"}
    shop = "urn:pulumi:dev::example::banksman:postgres:Database::shop"
    assert {(found.pack, found.version, found.policy, found.level, found.urn) for found in plan.findings} == {
        ("house", "1.2.3", "documented", "advisory", shop),
        ("one", "1.2.3", "only", "advisory", shop),
    }
    short = "\n".join(short_lines(plan))
    assert "Policy packs: house 1.2.3, one 1.2.3; 2 warnings" in short
    assert "policy documented (advisory): Databases have a comment." in short
    applied = await stack.up("", planned, program=code)
    assert applied.ended == "done", said(applied)
    assert f"{stack.name}_shop" in database.names
    assert "Loading policy packs" in said(applied)


async def test_a_mandatory_violation_makes_no_plan_and_names_policy_pack_and_resource(stack: Stack) -> None:
    strict = await policed(stack, '{"named": {"longest": 3}}', house=HOUSE)
    planned = await stack.preview("", program=strict)
    assert (planned.ended, planned.plan) == ("failed", None), said(planned)
    why = refusal(await log_of(stack, planned))
    assert why.startswith(
        "the policy 'named' of 'house' refuses 'urn:pulumi:dev::example::banksman:postgres:Database::shop' (1 "
    )
    assert "Names are short." in why
    off = await policed(stack, '{"named": {"longest": 3, "enforcementLevel": "disabled"}}', house=HOUSE)
    assert (await stack.preview("", program=off)).ended == "done"


UNTIL_THE_UP = 'if os.environ["PULUMI_DRY_RUN"] == "false":\n    report("not after all")'


@pytest.mark.parametrize("body", ['report("never")', UNTIL_THE_UP])
async def test_an_up_that_a_pack_refuses_makes_nothing(stack: Stack, database: Database, body: str) -> None:
    """Also where it did not refuse the preview: it looks again, at the up's own preview and before each resource."""
    planned = await stack.planned(shop(stack))
    refused = await stack.up("", planned, program=await policed(stack, strict=one(body)))
    assert refused.ended == "failed", said(refused)
    assert "the policy 'only' of 'one' refuses" in refusal(await log_of(stack, refused, "up"))
    assert f"{stack.name}_shop" not in database.names
    assert "banksman:postgres:Database" not in await stack.resources(refused.state_after)
    assert database.asked(LOCKS, stack.name) == "0"


async def test_a_pack_finds_no_secret_no_network_and_none_of_the_engines_doors(stack: Stack) -> None:
    canaries = repr([PASSPHRASE_CANARY[::-1], PASSWORD_CANARY[::-1]])
    look = LOOK_AROUND.replace("CANARIES", canaries)
    quiet = one("pass")
    code = await policed(stack, look=look + quiet, doors=CALL_PLUGINS + quiet)
    outcome = await stack.preview("", program=code)
    assert outcome.ended == "done", said(outcome)
    assert outcome.program_output.count("tried") == 2, said(outcome)
    assert "monitor.sock" in outcome.program_output
    assert "ESCAPED" not in outcome.program_output


@pytest.mark.parametrize(
    "pack", ["import time\nwhile True: time.sleep(1)\n", one("import time\nwhile True: time.sleep(0.01)")]
)
async def test_a_pack_that_never_ends_ends_with_the_run(stack: Stack, database: Database, pack: str) -> None:
    short = {**stack.engine.limits.model_dump(), "wall_seconds": 14}
    stack.engine_options = {"limits": short, "stop_seconds": 3}
    stopped = await stack.preview("", program=await policed(stack, slow=pack))
    assert stopped.ended == "timeout", said(stopped)
    assert stopped.plan is None
    assert database.asked(LOCKS, stack.name) == "0"


LIAR = """
import sys, time
from concurrent import futures
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2 as a, analyzer_pb2_grpc

class Liar(analyzer_pb2_grpc.AnalyzerServicer):
    def ConfigureStack(self, request, context):
        return a.AnalyzerStackConfigureResponse()
    def GetAnalyzerInfo(self, request, context):
        return a.AnalyzerInfo(name="liar", version="9", policies=[a.PolicyInfo(name="lie")])
    def Analyze(self, request, context):
        lie = a.AnalyzeDiagnostic(policyName="lie", policyPackName="house", message="a lie", urn="urn:evil")
        lie.enforcementLevel = a.LEVEL if request.type == "banksman:postgres:Database" else a.ADVISORY
        return a.AnalyzeResponse(diagnostics=[lie])
    def AnalyzeStack(self, request, context):
        return a.AnalyzeResponse()
    def Remediate(self, request, context):
        answer = a.RemediateResponse(remediations=[a.Remediation(policyName="lie", policyPackName="liar")])
        answer.remediations[0].properties.update({"name": "NAME_evil", "pluginDownloadURL": "https://evil.example"})
        return answer

server = grpc.server(futures.ThreadPoolExecutor())
analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Liar(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
time.sleep(1000)
"""


async def test_a_pack_that_lies_decides_about_policies_and_nothing_else(stack: Stack, database: Database) -> None:
    liar = LIAR.replace("NAME", stack.name)
    code = await policed(stack, liar=liar.replace("LEVEL", "ADVISORY"))
    planned = await stack.preview("", program=code)
    plan = await plan_of(stack, planned)
    assert {found.urn.partition("::")[0] for found in plan.findings} == {"urn:pulumi:dev"}
    applied = await stack.up("", planned, program=code)
    assert applied.ended == "done", said(applied)
    assert f"{stack.name}_shop" in database.names
    assert f"{stack.name}_evil" not in database.names
    # A level that the engine does not expect here would end it in the middle of its work.
    odd = await stack.preview("", program=await policed(stack, liar=liar.replace("LEVEL", "DISABLED")))
    assert (odd.ended, odd.plan) == ("failed", None), said(odd)
    assert "the policy 'lie' of 'house' refuses" in refusal(await log_of(stack, odd))
    assert "panic" not in said(odd)


REF = 'PolicyConfigSchema(properties={"x": {"$ref": "file:///workspace/order.json"}})'
REFUSED = {
    "a change of resources": (one("pass", level="REMEDIATE"), "the policy 'only' of the pack 'one' would change resou"),
    "a file of the engine's": (
        one("pass").replace("EnforcementLevel.MANDATORY", f"EnforcementLevel.MANDATORY, {REF}"),
        "the policy 'only' of the pack 'one' has '$ref'",
    ),
    "a pack that does not start": ("raise ValueError('not today')", "the policy pack 'policies/bad' did not start"),
    "a pack without code": ("import pulumi", "the policy pack 'policies/bad' did not start"),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_a_pack_may_not_have_is_refused_by_name(stack: Stack, kind: str) -> None:
    code, words = REFUSED[kind]
    outcome = await stack.preview("", program=await policed(stack, bad=code))
    assert (outcome.ended, outcome.plan) == ("failed", None), said(outcome)
    assert words in said(outcome)


TELL = (
    HEAD
    + """
def tell(args, report):
    if database(args):
        print("tried", args.props["comment"], flush=True)
        report("it says " + args.props["comment"] + pulumi.Config().require("token"))

def fail(args, report):
    raise ValueError([one.props["comment"] for one in args.resources if "comment" in one.props])

PolicyPack("teller", [
    ResourceValidationPolicy("tell", "Tells.", tell), StackValidationPolicy("fail", "Fails.", fail)
])
"""
)
SECRETIVE = """
import pulumi
secret = pulumi.Output.secret('comment-canary<"3f>')
pulumi.CustomResource("banksman:postgres:Database", "shop", {"name": "NAME_shop", "comment": secret})
"""


async def test_a_secret_that_a_pack_tells_does_not_come_out(stack: Stack) -> None:
    """The engine sends packs the secrets of resources and of the configuration decrypted, as it does to programs."""
    first = await stack.planned("import pulumi")
    assert first.salt is not None, said(first)
    secure = {"secure": encrypted("token-canary-77", first.salt, stack.passphrase)}
    stack.settings = stack.settings.model_copy(update={"config": {"example:token": secure}})
    code = await policed(stack, code=SECRETIVE.replace("NAME", stack.name), teller=TELL)
    outcome = await stack.preview("", program=code)
    assert outcome.ended == "failed", said(outcome)
    step = outcome.step("preview")
    assert step is not None
    out = outcome.model_dump_json() + await stack.text(step.events)
    assert "it says [secret][secret]" in out
    assert "tried [secret]" in outcome.program_output, said(outcome)
    assert "canary" not in out
