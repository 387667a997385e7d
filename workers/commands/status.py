"""`banksman status` and `down`: what runs here, and ending it."""

import asyncio
import contextlib
import json
import os
import shlex
import time
from pathlib import Path
from typing import Annotated, Final

import psutil
import typer
from rich.markup import escape
from rich.table import Table

from deploy.local.processes.child import ChildReport, ChildState
from deploy.local.processes.control import Ask, Reply, ask
from deploy.local.processes.parts import NO_MODELS
from deploy.local.state import PartState, StackFolder, StackState
from hitl.protocol import Phase
from workers.commands.exits import Exit, err, fail, out, shown, wrapped
from workers.commands.folder import NO_STACK, stack_folder

_STOP_PATIENCE: Final = 90.0
_POLL: Final = 0.2
MARKS: Final = {
    ChildState.WAITING: "[dim]·[/]",
    ChildState.STARTING: "[yellow]…[/]",
    ChildState.READY: "[green]✓[/]",
    ChildState.RESTARTING: "[red]↻[/]",
    ChildState.STOPPED: "[dim]■[/]",
}


def down() -> None:
    """End the embedded environment; what it keeps stays for the next `up`."""
    folder = stack_folder()
    state = folder.read()
    if asyncio.run(ask(folder.socket, Ask(op="stop"))) is None:
        if not end_leftovers(folder):
            out.print("No stack is running here.")
        return
    deadline = time.monotonic() + _STOP_PATIENCE
    with err.status("ending the environment: workers first, servers last"):
        while state is not None and psutil.pid_exists(state.pid) and folder.state_file.exists():
            if time.monotonic() > deadline:
                fail(f"the environment did not end in {_STOP_PATIENCE:.0f} s; its supervisor is process {state.pid}")
            time.sleep(_POLL)
    out.print("The environment has ended.")


def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Tell what runs, where, and how it is."""
    folder = stack_folder()
    reply = asyncio.run(ask(folder.socket, Ask(op="status")))
    state = folder.read()
    if reply is None or state is None:
        if as_json:
            out.print_json(json.dumps({"running": False}))
        else:
            fail(NO_STACK, Exit.NO_STACK)
        raise typer.Exit(int(Exit.NO_STACK))
    if as_json:
        children = [report.model_dump(mode="json") for report in reply.children]
        stack = state.model_dump(mode="json")
        waiting = [one.model_dump(mode="json") for one in reply.waiting]
        body = {"running": True, "ready": reply.ready, "phase": _phase(state), "stack": stack, "children": children}
        body["waiting"] = waiting
        out.print_json(json.dumps(body))
        return
    print_stack(state, reply)


def print_stack(state: StackState | None, reply: Reply) -> None:
    """Show the parts, and where people and scripts find them."""
    table = Table(title="Banksman, embedded", title_justify="left", box=None, padding=(0, 3, 0, 0))
    for heading in ("", "part", "address", "process", "restarts"):
        table.add_column(heading, style="bold" if heading == "part" else "", justify="left", no_wrap=True)
    for report in reply.children:
        pid = str(report.pid) if report.pid else "–"
        table.add_row(MARKS[report.state], report.name, report.address or "", pid, str(report.restarts or ""))
    out.print(table)
    for report in reply.children:
        if report.state is ChildState.RESTARTING:
            tell_crash(report)
    if state is not None:
        _print_addresses(state)
        _print_parts(state)
    _print_waiting(reply)


def tell_crash(report: ChildReport) -> None:
    """Show the last lines of a part that ended."""
    err.print(f"[red]{report.name}[/] ended and is started again; its last lines:")
    err.print("  " + escape("\n  ".join(report.last_lines)), soft_wrap=True)


def _print_addresses(state: StackState) -> None:
    """A label and a text per line; never wrapped, so that an address can be clicked and a path copied."""
    _line("Temporal UI", f"{state.temporal.ui}/namespaces/{state.temporal.namespace}/workflows")
    _line("Traces", state.traces.url)
    if state.prometheus is not None:
        _line("Metrics", f"{state.prometheus.url} (Prometheus; `/api/v1/query?query=…` asks it)")
    if state.log_store is not None:
        _line("Log lines", f"{state.log_store.url}/select/vmui")
    if state.jaeger is not None:
        _line("Jaeger", f"{state.jaeger.url} (the same traces; one that was built here has its API alone)")
    if state.console is not None:
        _line("Approvals", state.console.url)
        _line("", f"{state.twins['slack'].url} (Slack's twin)")
    for name, path in state.repositories.items():
        _line("Repository", f"{name} ← {shlex.quote(path)}")
    _line("Environment", f"{state.environment}, {_phase(state) or 'of no phase that can be read: every step waits'}")
    _line("Policy", shlex.quote(state.policy))
    _line("Models", shlex.quote(state.models) if state.models else NO_MODELS)
    _line("Logs", shlex.quote(state.logs))


def _line(label: str, text: str) -> None:
    out.print(f"{label:<12} {escape(shown(text))}", soft_wrap=True)


def _print_parts(state: StackState) -> None:
    for name, part in state.parts.items():
        if part.state is not PartState.READY:
            told = wrapped(f"{part.state}: {shown(part.why)}", indent=13, label=name.capitalize())
            out.print(escape(told), soft_wrap=True)


def _print_waiting(reply: Reply) -> None:
    """Each id on a line of its own, whole, in the command that it is for."""
    waiting = [one.id for one in reply.waiting if one.state == "waiting"]
    parked = [one.id for one in reply.waiting if one.state == "parked"]
    if waiting:
        _line("Waiting", "for people to decide; `banksman approvals` tells for whom")
    for goal in waiting:
        _line("", goal)
    if parked:
        _line("Parked", "mend what they wait for, then")
    for goal in parked:
        _line("", f"banksman resume {shlex.quote(goal)}")


def _phase(state: StackState) -> Phase | None:
    """How far the environment trusts the agent, as the policy file says now; None where that cannot be read."""
    from hitl.policy.file import PolicyError, load_policy  # noqa: PLC0415 - `down` and `up` need none of it

    try:
        environment = load_policy(Path(state.policy)).environments.get(state.environment)
    except PolicyError:
        return None
    return environment.phase if environment else None


def end_leftovers(folder: StackFolder) -> bool:
    """End what a supervisor that was killed left: what its own stack.json names, and its own on the engine."""
    state = folder.read()
    if state is None:
        return False
    told = folder.engine.read_bytes() if folder.engine.exists() else None
    left: list[psutil.Process] = []
    for name, pid in state.children.items():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if _belongs_to(folder, process):
                err.print(f"ending {name} (process {pid}), left by an environment that was killed")
                process.terminate()
                left.append(process)
    for process in psutil.wait_procs(left, timeout=15)[1]:
        process.kill()
    if told is not None:
        _clear_engine(folder, told)
    folder.forget()
    return bool(left)


def _clear_engine(folder: StackFolder, told: bytes) -> None:
    from deploy.local.container_engine.part import clear_engine  # noqa: PLC0415 - the engine's client is slow to import, and seldom needed

    folder.engine.write_bytes(told)  # the part that kept the engine may have removed it
    asyncio.run(clear_engine(folder.engine, folder.deployment))


def _belongs_to(folder: StackFolder, process: psutil.Process) -> bool:
    """Whether it works on this folder: a process id may have gone to another program meanwhile."""
    inside = f"{folder.root}{os.sep}"
    return any(inside in word for word in (*process.cmdline(), *process.environ().values()))
