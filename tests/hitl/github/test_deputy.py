"""New commits of somebody else in a bot's pull request void what was said of its former head; nothing else does."""

from activities.github.contracts import DeleteBranchParameters, MergePullRequestParameters
from hitl.github import voiding
from hitl.github.deputy import voided_by
from tests.hitl.github.deciding_cases import ALICE, BOT, FORK, NEW, OLD, comment, pull, push


def test_a_push_of_somebody_else_voids_the_former_head() -> None:
    voided = voided_by(pull("synchronize", by=ALICE, author=BOT))
    assert voided is not None
    assert (voided.repository, voided.pull, voided.before, voided.after, voided.by) == (
        "acme/shop",
        4,
        OLD,
        NEW,
        "Alice",
    )
    other_bot = BOT.model_copy(update={"login": "renovate[bot]", "id": 98})
    assert voided_by(pull("synchronize", by=other_bot, author=BOT)) is not None
    assert voided_by(pull("synchronize", by=ALICE, author=BOT, head=FORK)) is not None


def test_its_own_push_and_a_persons_pull_request_void_nothing() -> None:
    assert voided_by(pull("synchronize", by=BOT, author=BOT)) is None
    assert voided_by(pull("synchronize", by=BOT, author=ALICE)) is None
    assert voided_by(pull("opened", by=ALICE, author=BOT)) is None
    assert voided_by(push("a", by=ALICE)) is None
    assert voided_by(comment()) is None


def test_the_same_login_on_another_account_is_somebody_else() -> None:
    taken = BOT.model_copy(update={"id": 1})
    assert voided_by(pull("synchronize", by=taken, author=BOT)) is not None


def test_the_plans_that_are_about_a_head_say_so_by_these_names() -> None:
    for parameters in (MergePullRequestParameters, DeleteBranchParameters):
        assert set(parameters.model_fields) & set(voiding._HEADS)
        assert "repository" in parameters.model_fields
