"""From the Temporal UI to a goal's traces: a link where there is a page, else the command; nothing leads elsewhere."""

from workflows.trace_link import with_traces

PAGE = "https://traces.acme.test/?workflow_id={workflow_id}"


def test_it_leads_to_the_traces_of_this_goal() -> None:
    told = with_traces("Reads a file.", "read-file/acme/shop/README.md", PAGE)
    assert told == (
        "Reads a file.\n\n[Its traces](https://traces.acme.test/?workflow_id=read-file%2Facme%2Fshop%2FREADME.md)"
    )


def test_where_there_is_no_page_the_command_is_told() -> None:
    assert with_traces("Reads a file.", "x", None).endswith("`banksman trace` and its workflow id.")


def test_an_id_leads_nowhere_else_and_ends_no_link() -> None:
    told = with_traces("Reads a file.", "x)](https://evil.test) {workflow_id}\n# Big", PAGE)
    [link] = told.split("\n\n")[1:]
    assert link.count("(") == link.count(")") == 1
    assert "evil.test)" not in link
    assert "\n" not in link
