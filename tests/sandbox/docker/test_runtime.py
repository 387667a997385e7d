"""The runtime is chosen from what the engine says, and never silently a weaker one than is required."""

import pytest

from sandbox.docker.engine import Engine
from sandbox.docker.runtime import RuntimePolicy, choose_runtime, has_user_namespace
from sandbox.errors import IsolationMissing

# What Docker 20.10 and 28 answer, cut down to the part that matters.
RUNC = {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}}
PLAIN: dict[str, object] = {"Runtimes": RUNC}
WITH_GVISOR: dict[str, object] = {"Runtimes": {**RUNC, "runsc": {"path": "/usr/local/bin/runsc"}}}
WITH_KATA: dict[str, object] = {"Runtimes": {"runc": {"path": "runc"}, "kata-runtime": {"path": "/opt/kata"}}}


@pytest.mark.parametrize(
    ("policy", "info", "chosen"),
    [
        ("preferred", PLAIN, None), ("preferred", WITH_GVISOR, "runsc"), ("preferred", WITH_KATA, "kata-runtime"),
        ("required", WITH_GVISOR, "runsc"), ("never", WITH_GVISOR, None), ("never", PLAIN, None),
        ("preferred", {}, None),
    ],
)  # fmt: skip
def test_the_stronger_one_is_taken_where_it_is(
    policy: RuntimePolicy, info: dict[str, object], chosen: str | None
) -> None:
    assert choose_runtime(policy, info) == chosen


@pytest.mark.parametrize("info", [PLAIN, {}, {"Runtimes": None}])
def test_required_and_missing_is_refused_with_the_way_out(info: dict[str, object]) -> None:
    with pytest.raises(IsolationMissing, match=r"install gVisor \(runsc\) or Kata"):
        choose_runtime("required", info)


def test_a_user_namespace_is_read_from_the_engine() -> None:
    assert has_user_namespace({"SecurityOptions": ["name=seccomp,profile=default", "name=userns"]})
    assert has_user_namespace({"SecurityOptions": ["name=rootless"]})
    assert not has_user_namespace({"SecurityOptions": ["name=seccomp,profile=default"]})
    assert not has_user_namespace({"SecurityOptions": None})


@pytest.mark.docker
async def test_this_engines_real_answer_is_understood(engine: Engine) -> None:
    info = await engine.call(engine.api.info)
    assert "runc" in str(info["Runtimes"])
    assert choose_runtime("preferred", info) in {None, "runsc", "kata", "kata-runtime"}
