"""What an environment writes down, and who may read it."""

import json
import os
from pathlib import Path

import pytest

from deploy.local.state import (
    FolderInUse,
    PathTooLong,
    StackFolder,
    StackState,
    TemporalAddress,
    Url,
    VaultAddress,
    WorkerAddress,
)

STATE = StackState(
    pid=1,
    temporal=TemporalAddress(address="127.0.0.1:1", namespace="default", ui="http://127.0.0.1:2"),
    vault=VaultAddress(address="http://127.0.0.1:3"),
    twins={"github": Url(url="http://127.0.0.1:4")},
    workers={"goals": WorkerAddress(pid=None, metrics="http://127.0.0.1:5/metrics")},
    traces=Url(url="http://127.0.0.1:6"),
    logs="/logs",
    policy="/policy.yaml",
    environment="local",
)


@pytest.fixture
def folder(tmp_path: Path) -> StackFolder:
    made = StackFolder(tmp_path / "s")
    made.make()
    return made


def test_what_was_written_is_read_back_and_only_its_owner_may(folder: StackFolder) -> None:
    folder.write(STATE)
    assert folder.read() == STATE
    assert folder.state_file.stat().st_mode & 0o777 == 0o600
    assert folder.root.stat().st_mode & 0o777 == 0o700
    assert not folder.root.joinpath("stack.json.new").exists()


def test_keys_of_a_later_release_are_passed_over(folder: StackFolder) -> None:
    body = json.loads(STATE.model_dump_json()) | {"of_a_later_release": {"url": "http://127.0.0.1:7"}}
    folder.state_file.write_text(json.dumps(body))
    assert folder.read() == STATE


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}'])
def test_a_broken_file_is_no_stack(folder: StackFolder, text: str) -> None:
    folder.state_file.write_text(text)
    assert folder.read() is None


def test_forgetting_twice_is_harmless(folder: StackFolder) -> None:
    folder.write(STATE)
    folder.forget()
    folder.forget()
    assert folder.read() is None


def test_one_stack_at_a_time_holds_the_folder(folder: StackFolder) -> None:
    with folder.held(), pytest.raises(FolderInUse, match="banksman status"), StackFolder(folder.root).held():
        pytest.fail("two stacks in one folder")
    with folder.held():
        pass


def test_a_private_file_is_private_whatever_the_umask(folder: StackFolder) -> None:
    before = os.umask(0)
    try:
        path = folder.private("twins/key.pem", b"key")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_path_without_room_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(PathTooLong, match="BANKSMAN_HOME"):
        StackFolder(tmp_path / ("long" * 30))
