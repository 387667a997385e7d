"""How the databases of the twin refuse, apart from how its management API does."""

from pydantic import JsonValue

from connectors.twins.problems import Problem


class DatabaseProblem(Problem):
    """A refusal by a database."""

    def shown(self) -> JsonValue:
        """Its body."""
        return {"time": 0.0, "status": {"error": self.message}}
