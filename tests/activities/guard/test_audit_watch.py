"""The watch finds what `verify` finds, without being asked, and a cut end besides; an honest log stays honest."""

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from activities.guard import audit_watch
from activities.guard.audit import AuditLog
from activities.guard.audit_watch import AuditWatch
from tests.activities.guard.test_audit import event


def whole() -> float | None:
    return REGISTRY.get_sample_value("banksman_audit_whole")


def written(path: Path, count: int, log: AuditLog | None = None) -> AuditLog:
    log = log or AuditLog(path)
    for number in range(count):
        log.append(event(number))
    return log


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def edit(path: Path) -> None:
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:4], lines[4].replace(b"read-file/", b"read-fyle/"), *lines[5:]]))


def delete(path: Path) -> None:
    lines = lines_of(path)
    path.write_bytes(b"".join([*lines[:4], *lines[5:]]))


def cut(path: Path) -> None:
    path.write_bytes(b"".join(lines_of(path)[:4]))


def test_a_log_that_grows_is_torn_and_is_moved_away_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "connectors.jsonl"
    watch = AuditWatch(path)
    assert watch.look()  # there is none yet
    log = written(path, 3)
    assert watch.look()
    with path.open("ab") as torn:
        torn.write(b'{"action": "gith')
    assert watch.look()  # somebody may be writing just now
    written(path, 3, log)  # which acknowledges what was torn
    assert watch.look()
    path.rename(tmp_path / "connectors-1.jsonl")
    written(path, 2, log)
    assert watch.look()
    assert AuditWatch(path).look()  # also for a process that came later
    assert whole() == 1
    log.close()


@pytest.mark.parametrize("harm", [edit, delete, cut])
@pytest.mark.parametrize("at_first", [False, True])
def test_harm_to_what_was_looked_at_is_found_by_the_whole_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Callable[[Path], None], at_first: bool
) -> None:
    monkeypatch.setattr(audit_watch, "_WHOLE", 2)
    path = tmp_path / "connectors.jsonl"
    log, watch = written(path, 8), AuditWatch(path)
    if not at_first:
        assert watch.look()
    harm(path)
    looks = [watch.look() for _ in range(3)]
    if at_first and harm is cut:
        assert all(looks)  # nobody here knows of a longer one: for that there is the log store
    else:
        assert not looks[-1]
        assert whole() == 0
    log.close()


def test_harm_to_what_was_added_is_found_at_the_next_look_and_stays_until_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "connectors.jsonl"
    log, watch = written(path, 3), AuditWatch(path)
    assert watch.look()
    written(path, 3, log)
    honest = path.read_bytes()
    edit(path)
    assert not watch.look()
    written(path, 3, log)
    assert not watch.look()
    log.close()
    path.write_bytes(honest)
    assert watch.look()
