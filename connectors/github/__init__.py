"""GitHub as a GitHub App: sessions on one repository, with a token narrowed to what the step needs."""

from connectors.github.client import GitHubApp
from connectors.github.content import GitHubSession
from connectors.github.models import AppCredentials, FileContent, Tree, TreeEntry

__all__ = ["AppCredentials", "FileContent", "GitHubApp", "GitHubSession", "Tree", "TreeEntry"]
