"""Prepares the twin of language models: keys of this environment's own, one model on every wire, and a first score.

A deployment's file that names these backends `twin-openai`, `twin-anthropic` and `twin-bedrock` finds their keys in
Vault, beside those of real ones.
"""

import asyncio
import secrets
from pathlib import Path
from typing import Final

from pydantic import JsonValue, SecretStr, ValidationError

from connectors.models.twin.app import TwinConfig
from connectors.models.twin.coding import CODING
from connectors.models.twin.score import Cue, Score, ScriptedCall, When
from connectors.models.twin.stage import Model
from connectors.models.twin.wires.bedrock import AwsKey
from connectors.twins import PreparedTwin, TwinPlace

_CONFIGURATION: Final = "models.json"
_A_PLAN: Final[dict[str, JsonValue]] = {"schema": "banksman-goal-plan", "version": 1, "explore": []}
_REPOSITORY: Final = r"(?P<repository>[\w.-]+/[\w.-]*\w)"
_SAID_THERE: Final = (
    rf"\\n\\nThis was said on (?:issue or pull request #\d+ of )?{_REPOSITORY}\."
    r" Its tests are run by: python3 -m unittest"
)
"""What the gateway adds to what somebody asks on GitHub, as it stands in a request."""
_PLANS: Final = "You plan work for Banksman"
_READS: Final = "You read a text for Banksman"
_INVESTIGATES: Final = "You investigate for Banksman"


def _found(says: str, quote: str) -> JsonValue:
    claim: JsonValue = {"says": says, "evidence": [{"result": "${id}", "quote": quote}]}
    return {"claims": [claim], "unknown": "", "not_looked_at": [], "plan": None}


def _one_step(step: str, says: str, title: str, goal: str, inputs: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A plan of one goal."""
    act: list[JsonValue] = [{"id": step, "goal": goal, "inputs": inputs}]
    return {"answer": "plan", "says": says, "plan": {**_A_PLAN, "title": title, "act": act}}


_SCORE: Final = Score(
    cues=(
        Cue(when=When(last="Answer with the word ready"), say="ready"),
        Cue(
            when=When(system=_PLANS, last=rf'"asked": "Read (?P<path>\S+) of {_REPOSITORY}\.?(?:"|\\n)'),
            answer=_one_step(
                "read",
                "It reads the file, and changes nothing.",
                "Read ${path} of ${repository}",
                "ReadFile",
                {"repository": "${repository}", "path": "${path}"},
            ),
        ),
        Cue(
            when=When(system=_PLANS, last=rf'"asked": "Delete the branch (?P<branch>\S+) of {_REPOSITORY}\.?(?:"|\\n)'),
            answer=_one_step(
                "delete",
                "It deletes the branch, once people approved it.",
                "Delete the branch ${branch} of ${repository}",
                "DeleteBranch",
                {"repository": "${repository}", "branch": "${branch}"},
            ),
        ),
        Cue(
            when=When(
                system=_PLANS, last=rf'"asked": "Which version does (?P<path>\S+) of {_REPOSITORY} name\?(?:"|\\n)'
            ),
            answer={
                "answer": "plan",
                "says": "It reads the file, and has a model that only reads take the version out of it.",
                "plan": {
                    **_A_PLAN,
                    "title": "Which version ${path} of ${repository} names",
                    "explore": [
                        {
                            "id": "file",
                            "goal": "ReadFile",
                            "inputs": {"repository": "${repository}", "path": "${path}"},
                        }
                    ],
                    "act": [
                        {
                            "id": "version",
                            "goal": "ReadText",
                            "inputs": {
                                "text": {"$from": "file.content"},
                                "question": "Which version is it?",
                                "fields": [{"name": "version", "kind": "text", "copied": True}],
                            },
                        }
                    ],
                },
            },
        ),
        Cue(
            when=When(
                system=_PLANS,
                last=r'"asked": "Who uses the package (?P<package>\S+) in (?P<repositories>[\w./*-]+)\?(?:"|\\n)',
            ),
            answer=_one_step(
                "users",
                "It reads the manifests, and changes nothing.",
                "Who uses ${package} in ${repositories}",
                "MapDependencies",
                {"repositories": "${repositories}", "package": "${package}"},
            ),
        ),
        Cue(
            when=When(system=_PLANS, last=rf'"asked": "Report the health of {_REPOSITORY}\.?(?:"|\\n)'),
            answer=_one_step(
                "health",
                "It measures the repository, and changes nothing in it.",
                "How ${repository} does",
                "ReportHealth",
                {"repository": "${repository}"},
            ),
        ),
        Cue(
            when=When(system=_PLANS, last=rf'"asked": "[Aa]dd tests for (?P<what>[\w ]+)\.?{_SAID_THERE}'),
            answer=_one_step(
                "tests",
                "It has a model add them, and people read the pull request.",
                "Add tests for ${what} to ${repository}",
                "CodingJob",
                {
                    "repository": "${repository}",
                    "kind": "tests",
                    "text": "Add tests for ${what}.",
                    "test": ["python3", "-m", "unittest"],
                },
            ),
        ),
        Cue(
            when=When(
                system=_READS,
                last=r'"question": "Which version is it\?"[\s\S]*"text": [^\n]*?(?P<version>\d+\.\d+(?:\.\d+)*)',
            ),
            answer={"version": "${version}"},
        ),
        Cue(when=When(system=_READS, last=r'"question": "Which version is it\?"'), answer={"version": None}),
        Cue(
            when=When(system=_PLANS),
            answer={
                "answer": "question",
                "says": "This model is scripted. Say `Read PATH of OWNER/NAME.`, `Which version does PATH of "
                "OWNER/NAME name?` or `Delete the branch NAME of OWNER/NAME.`, on GitHub "
                "`add tests for the window`, or have docs/how-to/add-a-model.md "
                "tell how to add a real one: which is it?",
                "plan": None,
            },
        ),
        Cue(
            when=When(
                system=_INVESTIGATES, by="user", last=rf'"asked": "What does (?P<path>\S+) of {_REPOSITORY} say\?"'
            ),
            call=(ScriptedCall(tool="read_file", arguments={"repository": "${repository}", "path": "${path}"}),),
        ),
        Cue(
            when=When(system=_INVESTIGATES, last=r"(?P<id>r\d+): read_file gave .*\n<data-\w+>\n(?P<line>[^\n]+)"),
            answer=_found("It begins with: ${line}", "${line}"),
        ),
        Cue(
            when=When(
                system=_INVESTIGATES,
                last=r'(?P<id>r\d+): read_history gave [\s\S]*"name": "(?P<name>\w+)",\s*"state": "(?P<state>\w+)"',
            ),
            answer=_found("${name} ended as ${state}, or stands so.", '"state": "${state}"'),
        ),
        Cue(
            when=When(system=_INVESTIGATES),
            answer={
                "claims": [],
                "unknown": "This model is scripted: ask `What does PATH of OWNER/NAME say?`, or name a goal, or have "
                "docs/how-to/add-a-model.md tell how to add a real one.",
                "not_looked_at": [],
                "plan": None,
            },
        ),
        *CODING,
        Cue(say="This is the twin of language models: it says what its score tells it to."),
    )
)


async def prepare(place: TwinPlace) -> PreparedTwin:
    """Write the twin's configuration. Keys and score are kept, so that a second start finds what the first one had."""
    return await asyncio.to_thread(_prepare, place)


def _prepare(place: TwinPlace) -> PreparedTwin:
    config = _kept(place.kept(_CONFIGURATION)) or _made()
    config = config.model_copy(update={"listen": place.listen})
    kept = place.keep(_CONFIGURATION, config.model_dump_json(indent=2).encode())
    return PreparedTwin(configuration=kept, secrets=_secrets(config))


def _made() -> TwinConfig:
    return TwinConfig(
        openai=secrets.token_hex(16),
        anthropic=secrets.token_hex(16),
        bedrock=AwsKey(access_key=f"AKIA{secrets.token_hex(8).upper()}", secret_key=secrets.token_hex(20)),
        models=(Model(id="scripted:1"),),
        score=_SCORE,
    )


def _kept(file: Path) -> TwinConfig | None:
    try:
        return TwinConfig.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _secrets(config: TwinConfig) -> dict[str, dict[str, SecretStr]]:
    return {
        "models/twin-openai": {"key": SecretStr(config.openai)},
        "models/twin-anthropic": {"key": SecretStr(config.anthropic)},
        "models/twin-bedrock": {
            "access_key_id": SecretStr(config.bedrock.access_key),
            "secret_access_key": SecretStr(config.bedrock.secret_key),
        },
    }
