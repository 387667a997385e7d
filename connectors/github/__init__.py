"""GitHub as a GitHub App: sessions on one repository, with a token narrowed to what the step needs."""
