import pytest
from pydantic import ValidationError

from workflows.converter import describe_problems
from workflows.repository.goals import ReadFileInput, RunInSandboxInput


@pytest.mark.parametrize(
    "repository",
    ["shop", "acme/", "/shop", "acme/shop/more", "acme shop/x", "../shop", "acme/..", "acme/sh\0p", "-acme/shop", ""],
)
def test_a_repository_is_owner_and_name(repository: str) -> None:
    with pytest.raises(ValidationError, match="repository"):
        ReadFileInput(repository=repository, path="README.md")


@pytest.mark.parametrize("path", ["../etc/passwd", "a/../b", "/etc/passwd", "a//b", "a/./b", "a\0b", "", "a/"])
def test_a_path_stays_inside_the_repository(path: str) -> None:
    with pytest.raises(ValidationError, match="path"):
        ReadFileInput(repository="acme/shop", path=path)


@pytest.mark.parametrize("path", ["README.md", "docs/ünïcode näme.md", "..a/b..", "a/...", ".github/x", "-rf"])
def test_odd_but_real_paths_are_taken(path: str) -> None:
    assert ReadFileInput(repository="acme/shop", path=path).path == path


@pytest.mark.parametrize(
    "ref", ["--upload-pack=x", "a..b", "a b", "a~1", "a^", "a:b", "x.lock", "a//b", "/a", "a/", "@{u}"]
)
def test_a_ref_is_one_that_git_takes(ref: str) -> None:
    with pytest.raises(ValidationError, match="ref"):
        ReadFileInput(repository="acme/shop", path="README.md", ref=ref)


def test_the_business_key_names_what_is_asked() -> None:
    assert ReadFileInput(repository="acme/shop", path="a/b").business_key() == "read-file/acme/shop/a/b"
    assert ReadFileInput(repository="acme/shop", path="a", ref="v1").business_key() == "read-file/acme/shop/a@v1"


def test_every_problem_is_told_at_once_with_the_way_out() -> None:
    with pytest.raises(ValidationError) as caught:
        ReadFileInput.model_validate({"repository": "shop", "filepath": "x"})
    text = describe_problems(ReadFileInput, caught.value)
    assert "'shop' is not OWNER/NAME" in text
    assert "field 'path' is missing" in text
    assert "field 'filepath' is unknown" in text
    assert "banksman goals" in text


COMMAND = RunInSandboxInput(repository="acme/shop", command=("make", "test"), purpose="git")


@pytest.mark.parametrize("other", [{"command": ("make", "check")}, {"ref": "main"}, {"purpose": None}])
def test_another_request_is_another_goal(other: dict[str, object]) -> None:
    changed = RunInSandboxInput.model_validate({**COMMAND.model_dump(), **other})
    assert changed.business_key() != COMMAND.business_key()
    assert changed.business_key().startswith("run-in-sandbox/acme/shop/")


def test_a_long_command_is_short_in_the_list() -> None:
    summary = RunInSandboxInput(repository="acme/shop", command=("sh", "-c", "x" * 5000)).summary()
    assert len(summary) < 120
    assert summary.endswith("…` on acme/shop")
