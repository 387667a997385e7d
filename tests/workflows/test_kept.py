"""What a result leaves to take: by its declared fields alone, under names that are harmless on every system."""

import pytest

from workflows.deploy_feature.goals import ArtifactTold, DeployNewFeatureResult
from workflows.kept import kept_in
from workflows.repository.goals import ReadFileResult


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("report.html", "report.html"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("a/b/", "b"),
        ("/", "artifact"),
        ("..", "artifact"),
        (".bashrc", "bashrc"),
        ('x"; filename="evil.exe', "x_filename_evil.exe"),
        ("a\r\nSet-Cookie: b", "a_Set-Cookie_b"),
        ("\u202egpj.exe", "gpj.exe"),
        ("ü" * 200, "artifact"),
        ("x" * 300 + ".txt", "x" * 96 + ".txt"),
    ],
)
def test_a_strangers_name_for_an_artifact_is_a_harmless_files_name(path: str, file: str) -> None:
    told = ArtifactTold(command="test", path=path, size=1, reference=f"sha256:{'a' * 64}")
    result = DeployNewFeatureResult(repository="acme/shop", what="#7", artifacts=(told, told))
    [kept] = kept_in(result)
    assert (kept.told, kept.file) == (path, file)


def test_what_looks_like_a_reference_in_words_is_none() -> None:
    reference = f"sha256:{'a' * 64}"
    result = ReadFileResult(repository="acme/shop", path="p", content=reference, blob=reference, commit=reference)
    assert kept_in(result) == ()
