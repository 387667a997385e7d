"""GitHub Actions: what workflows and actions use, and what their tokens may do.

YAML is composed and not built: an alias stays one node however often it is named, and no value is made of a tag. Only
the places that count are walked, and only so many of them.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

import yaml

from activities.dependencies.found import FileFound, Notes, NotReadable, shown
from activities.dependencies.manifests.images import use_image

MOST_VISITED: Final = 5_000
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def read_actions(path: str, text: str) -> FileFound:
    """What the steps and jobs of a workflow, or of an action, use: pinned where that is a whole commit.

    Raises:
        NotReadable: It is no YAML, or no mapping.
    """
    notes, images = Notes(path, "action"), Notes(path, "image")
    for used in islice(_uses(compose(text)), MOST_VISITED):
        name, _, ref = used.partition("@")
        if not used or used.startswith("./"):
            continue
        if used.startswith("docker://"):
            use_image(images, used.removeprefix("docker://"))
        else:
            notes.use(name, wanted=ref, version=ref, pinned=_COMMIT.fullmatch(ref) is not None)
    found, besides = notes.found(), images.found()
    return found.model_copy(
        update={"used": (*found.used, *besides.used), "mistakes": (*found.mistakes, *besides.mistakes)}
    )


def too_wide(text: str) -> str | None:
    """Why the token of a workflow's jobs may do more than it has to; None where that is narrow.

    Raises:
        NotReadable: It is no YAML, or no mapping.
    """
    document = compose(text)
    said = child(document, "permissions")
    jobs = list(islice(children(child(document, "jobs")), MOST_VISITED))
    told = [child(job, "permissions") for _, job in jobs]
    if any(_everything(one) for one in (said, *told)):
        return "'write-all' lets its token change everything"
    if wide := [name for name, level in children(said) if scalar(level) == "write"]:
        return f"all of its jobs may write: {shown(', '.join(wide[:5]))}"
    if said is None and (not jobs or any(one is None for one in told)):
        return "says no 'permissions', so that the repository's default counts"
    return None


def compose(text: str) -> yaml.Node:
    """A document of YAML, as nodes.

    Raises:
        NotReadable: It is none, or no mapping.
    """
    try:
        found = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if isinstance(mark, yaml.Mark) else ""
        raise NotReadable(f"is no YAML: something is wrong{where}") from None
    except RecursionError:
        raise NotReadable("is nested too deeply; it is not read") from None
    if not isinstance(found, yaml.MappingNode):
        raise NotReadable("is no mapping of YAML")
    return found


def children(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """The keys of a mapping that are texts, and what is below each."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield str(key.value), value


def child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """What is below one key."""
    return next((value for key, value in children(node) if key == name), None)


def scalar(node: yaml.Node | None) -> str:
    """The text of a plain value; empty for anything else."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _uses(document: yaml.Node) -> Iterator[str]:
    """What is used by each job, by each of its steps, and by each step of an action; empty where nothing is."""
    for _, job in children(child(document, "jobs")):
        yield from _said(job)
        for step in _items(child(job, "steps")):
            yield from _said(step)
    for step in _items(child(child(document, "runs"), "steps")):
        yield from _said(step)


def _said(node: yaml.Node) -> Iterator[str]:
    yield scalar(child(node, "uses"))


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _everything(node: yaml.Node | None) -> bool:
    return scalar(node) == "write-all"
