"""Every step with what it may do, in one list that is quick to read: the policy's command and its checks look here.

What a step may do it says itself, where it is defined, and the guard goes by that. A test holds this list to it.
"""

import difflib
from collections.abc import Mapping
from typing import Final

from hitl.protocol import Effect

EFFECTS: Final[Mapping[str, Effect]] = {
    "approval.resolve_rule": Effect.READ,
    "github.check_run": Effect.WRITE,
    "github.comment": Effect.WRITE,
    "github.commit_files": Effect.WRITE,
    "github.delete_branch": Effect.DESTRUCTIVE,
    "github.fetch_repository": Effect.READ,
    "github.label": Effect.WRITE,
    "github.look_at_branch": Effect.READ,
    "github.open_pull_request": Effect.WRITE,
    "github.read_file": Effect.READ,
    "hitl.post_approval": Effect.WRITE,
    "hitl.tell_drift": Effect.WRITE,
    "hitl.tell_parked": Effect.WRITE,
    "hitl.update_approval": Effect.WRITE,
    "pulumi.destroy_stack": Effect.DESTRUCTIVE,
    "pulumi.detect_drift": Effect.READ,
    "pulumi.look_at_lock": Effect.READ,
    "pulumi.prepare_stack": Effect.READ,
    "pulumi.preview_destroy": Effect.READ,
    "pulumi.preview_restore": Effect.READ,
    "pulumi.preview_stack": Effect.WRITE,
    "pulumi.read_history": Effect.READ,
    "pulumi.read_outputs": Effect.READ,
    "pulumi.refresh_stack": Effect.WRITE,
    "pulumi.restore_state": Effect.DESTRUCTIVE,
    "pulumi.seal_credentials": Effect.READ,
    "pulumi.unlock_stack": Effect.DESTRUCTIVE,
    "pulumi.update_stack": Effect.DESTRUCTIVE,
    "sandbox.run_command": Effect.WRITE,
}


def meant(action: str) -> str | None:
    """The step whose name is closest to one that is none."""
    close = difflib.get_close_matches(action, EFFECTS, n=1)
    return close[0] if close else None
