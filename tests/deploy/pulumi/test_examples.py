"""The example projects: what the sandbox takes, and no name of a credential anywhere in them."""

import ast
from pathlib import Path

import pytest
import yaml

from connectors.pulumi.prices import load_prices
from connectors.pulumi.stateful import load_stateful
from sandbox.pulumi.project import read_project

EXAMPLES = sorted((Path(__file__).parents[3] / "deploy/pulumi/examples").iterdir())
CLOUDS = {"aws-bucket": "pulumi_aws", "azure-storage": "pulumi_azure_native", "gcp-bucket": "pulumi_gcp"}


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_a_project_file_holds_nothing_that_the_sandbox_refuses(folder: Path) -> None:
    written = (folder / "Pulumi.yaml").read_bytes()
    assert read_project(written).name == folder.name
    project = yaml.safe_load(written)
    assert project["runtime"] == "python"
    for value in project["config"].values():
        assert value["type"] in {"string", "integer", "boolean"}
        assert value["description"]
        assert not (value.get("secret") and "default" in value)


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_a_program_parses_and_asks_only_for_what_its_project_declares(folder: Path) -> None:
    tree = ast.parse((folder / "__main__.py").read_text())
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    asked = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "config"
        and isinstance(node.args[0], ast.Constant)
    }
    assert asked - {"password"} == set(project["config"])


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_a_program_needs_the_clis_own_version_of_the_library_and_no_credential(folder: Path) -> None:
    wanted = (folder / "requirements.txt").read_text().splitlines()
    assert wanted[0] == "pulumi==3.200.0"
    text = (folder / "__main__.py").read_text()
    imported = {name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names}
    if folder.name in CLOUDS:
        assert imported == {"pulumi", CLOUDS[folder.name]}
        assert wanted[1].startswith(CLOUDS[folder.name].replace("_", "-"))
    for word in ("environ", "access_key", "secret_key", "client_secret", "credentials="):
        assert word not in text


@pytest.mark.parametrize(
    ("type_", "loses"),
    [
        ("aws:s3/bucket:Bucket", "the objects in it"),
        ("aws:s3/bucketV2:BucketV2", "the objects in it"),
        ("aws:rds/instance:Instance", "the data in it"),
        ("gcp:storage/bucket:Bucket", "the objects in it"),
        ("azure-native:storage:StorageAccount", "the objects in it"),
        ("azure-native:resources:ResourceGroup", "everything in it"),
        ("banksman:postgres:Database", "the data of the database"),
        ("kubernetes:core/v1:PersistentVolumeClaim", "the data on it"),
        ("aws:iam/role:Role", ""),
        ("aws:s3/bucketVersioning:BucketVersioning", ""),
    ],
)
def test_what_the_examples_and_their_like_hold_is_marked(type_: str, loses: str) -> None:
    assert load_stateful().loses(type_) == loses


def test_the_shipped_prices_are_read_and_say_where_they_are_from() -> None:
    prices = load_prices().prices
    assert prices
    assert all(one.source for one in prices)
