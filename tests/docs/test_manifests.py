"""Every manifest that a page shows is one, for the models and for editors; a wrong one is shown with its mistakes."""

from typing import Final

import pytest
import yaml
from jsonschema import Draft202012Validator

from hitl.github.repository_config import RepositoryConfig, read_config
from tests.docs.markdown import PAGES, ROOT, Block, blocks
from workflows.manifest.manifest import FILE_NAME
from workflows.manifest.reading import ManifestError, read_manifest
from workflows.manifest.schema import manifest_schema

CONFIG: Final = "yaml .banksman/config.yaml"
MANIFESTS: Final = [
    (page.relative_to(ROOT).as_posix(), block)
    for page in PAGES
    for block in blocks(page)
    if block.info.startswith("yaml") and block.info != CONFIG and "version: 1\n" in block.text
]
CONFIGS: Final = [block for page in PAGES for block in blocks(page) if block.info == CONFIG]


def test_pages_show_some() -> None:
    assert [page for page, block in MANIFESTS if block.info == f"yaml {FILE_NAME}"]


@pytest.mark.parametrize(("page", "block"), MANIFESTS, ids=[f"{page}: {block.info}" for page, block in MANIFESTS])
def test_a_manifest_on_a_page_is_one(page: str, block: Block) -> None:
    wrong = list(Draft202012Validator(manifest_schema()).iter_errors(yaml.safe_load(block.text)))
    if block.info == "yaml wrong.yaml":
        with pytest.raises(ManifestError):
            read_manifest(block.text.encode())
        assert wrong
        return
    assert read_manifest(block.text.encode()).manifest.version == 1
    assert wrong == []


def test_a_repositorys_configuration_on_a_page_is_one() -> None:
    assert [type(read_config(block.text.encode())) for block in CONFIGS] == [RepositoryConfig]
