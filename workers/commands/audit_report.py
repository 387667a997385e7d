"""An export as a page for an auditor: who approved what, under which policy, what was asked, and how it ended.

One file without a script and without anything from elsewhere. All words in it are other people's, and escaped.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from activities.guard.audit import AuditRecord
from activities.guard.audit_export import EFFECTS, Export, ExportReport
from hitl.hidden import unhidden

_STYLE: Final = """\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1c1c1c;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}caption{text-align:left;font-weight:600}
th,td{border-bottom:1px solid #ccc;padding:.4rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
code{font-size:.85em}.ok{color:#0a6b2d}.bad{color:#a40000;font-weight:600}.sub{color:#555}"""
_DENIED: Final = "denied"


def page(export: Export, report: ExportReport | None) -> str:
    """The whole page.

    Args:
        export: What was collected.
        report: What a check of it found; None where nobody gave the public key.
    """
    records = list(export.records())
    who = _text(", ".join(sorted(export.chains)) or "no process")
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Audit report</title>',
            f"<style>{_STYLE}</style></head><body><h1>Audit report</h1>",
            f'<p class="sub">Exported at {_text(export.exported_at)}; {len(records)} events of {who}.</p>',
            *_verdict(report),
            *_effects(records),
            *_refusals(records),
            "</body></html>\n",
        )
    )


def _verdict(report: ExportReport | None) -> Iterator[str]:
    yield "<h2>Is it whole?</h2>"
    if report is None:
        yield '<p class="bad">Not checked: no public key was given.</p>'
        return
    if report.ok:
        yield f'<p class="ok">Yes: every chain is whole, and {report.checkpoints} signed checkpoints agree with it.</p>'
    else:
        yield f'<p class="bad">No. The first broken entry: {_text(report.problems[0])}</p>'
        yield "<ul>" + "".join(f"<li>{_text(one)}</li>" for one in report.problems[1:]) + "</ul>"
    each = (
        f"{_text(role)}: signed up to event {report.signed[role]}, {count} behind it"
        for role, count in sorted(report.unsigned.items())
    )
    yield "<ul>" + "".join(f"<li>{one}</li>" for one in each) + "</ul>"
    if report.open_steps:
        yield (
            "<p>No end is written of:</p><ul>"
            + "".join(f"<li>{_text(one)}</li>" for one in report.open_steps)
            + "</ul>"
        )


def _effects(records: list[AuditRecord]) -> Iterator[str]:
    """Each step with an effect: the receipt from before it, and the one from after."""
    yield "<table><caption>Effects</caption><thead><tr>"
    yield from (
        f'<th scope="col">{one}</th>' for one in ("Step", "Goal", "Approved by", "Under", "Asked", "How it ended")
    )
    yield "</tr></thead><tbody>"
    ends: dict[tuple[str | int | None, ...], list[AuditRecord]] = {}
    for one in records:
        if one.event not in {"allowed", _DENIED}:
            ends.setdefault(_key(one), []).append(one)
    for one in records:
        if one.event == "allowed" and one.effect in EFFECTS:
            there = ends.get(_key(one))
            yield _row(one, there.pop(0) if there else None)
    yield "</tbody></table>"


def _key(one: AuditRecord) -> tuple[str | int | None, ...]:
    return (one.role, one.workflow_id, one.run_id, one.activity_id, one.attempt, one.action)


def _row(before: AuditRecord, after: AuditRecord | None) -> str:
    what = f"{_text(before.action)}<br>{_said(before.context)}<br>{_sub(f'{before.role} {before.seq}, {before.time}')}"
    goal = f"{_text(before.workflow_id)}<br>{_sub(f'attempt {before.attempt}')}"
    under = f"{_text(before.rule or 'the phase')}<br>{_code(before.policy)}"
    cells = (what, goal, _approval(before), under, _code(before.request), _end(after))
    return "<tr>" + "".join(f"<td>{one}</td>" for one in cells) + "</tr>"


def _approval(before: AuditRecord) -> str:
    facts = before.approval
    if facts is None:
        return _sub("needs none")
    people = "<br>".join(_text(f"{one.person}: {one.verdict} ({one.surface})") for one in facts.decisions)
    asked = f"asked by {_text(facts.requester or 'nobody known')}"
    return "<br>".join((people, asked, f"plan {_code(facts.digest)}", f"rule {_code(facts.rule)}"))


def _end(after: AuditRecord | None) -> str:
    if after is None:
        return '<span class="bad">nothing is written</span>'
    how = after.event + (f" ({after.way.replace('_', ' ')})" if after.way else "")
    why = f": {after.error or after.reason}" if after.error or after.reason else ""
    return f"{_text(how + why)}<br>{_code(after.answer)}<br>{_sub(f'{after.role} {after.seq}, {after.time}')}"


def _refusals(records: list[AuditRecord]) -> Iterator[str]:
    yield '<table><caption>Refused by the guard</caption><thead><tr><th scope="col">When</th><th scope="col">Step</th>'
    yield '<th scope="col">Goal</th><th scope="col">Why</th></tr></thead><tbody>'
    for one in records:
        if one.event == _DENIED:
            cells = (one.time, one.action, one.workflow_id or "", f"{one.reason} {one.rule or ''}")
            yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table>"


def _said(context: Mapping[str, str]) -> str:
    return _sub(", ".join(f"{name} {value}" for name, value in context.items()))


def _code(digest: str | None) -> str:
    return f"<code>{_text(digest)}</code>" if digest else _sub("not recorded")


def _sub(text: str) -> str:
    return f'<span class="sub">{_text(text)}</span>'


def _text(text: str | None) -> str:
    return escape(unhidden(text or ""))
