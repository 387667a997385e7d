"""Nobody outside makes a label: whatever names people ask for, there are as many series as before."""

import ast
import http.server
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from observability.metrics import CoreCollector, Registered

_ROOT = Path(__file__).parents[2]
_HERE = Path(__file__).parent


def _series(text: str, label: str) -> dict[str, set[tuple[str, str]]]:
    """Which series there are of each value of a label."""
    found: dict[str, set[tuple[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if label in one.labels:
                found.setdefault(one.labels[label], set()).add((one.name, str(sorted(one.labels.items()))))
    return found


@contextmanager
def _core(text: str) -> Generator[int]:
    """What core's exporter answers, at a port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _collected(text: str, registered: Registered) -> dict[str, Metric]:
    with _core(text) as port:
        return {one.name: one for one in CoreCollector(port, registered).collect()}


def test_names_that_people_make_up_become_one_series_on_a_real_worker(tmp_path: Path) -> None:
    page = tmp_path / "metrics.txt"
    temporal = Path(sys.executable).parent / "temporal"
    words = [sys.executable, str(_HERE / "made_up_names.py"), str(temporal), str(page), "12"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    text = page.read_text()
    assert _series(text, "workflow_type").keys() == {"Ours", "other"}
    assert _series(text, "activity_type").keys() == {"ours.look", "other"}
    assert "MadeUp" not in text
    assert "made.up" not in text
    counted = {
        (one.name, one.labels.get("workflow_type")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
    assert counted["temporal_workflow_failed_total", "other"] == 12, "none is left out of the sum"
    assert counted["temporal_workflow_completed_total", "Ours"] == 12


def test_what_is_folded_is_summed_bucket_by_bucket() -> None:
    registered = Registered()
    registered.set(workflow_types=["Ours"], activity_types=[])
    text = "# TYPE took histogram\n" + "".join(
        f'took_bucket{{workflow_type="{name}",le="{bound}"}} {value}\n'
        for name in ("Ours", "A", "B")
        for bound, value in (("1", 1), ("+Inf", 3))
    )
    [took] = [one for name, one in _collected(text, registered).items() if name == "took"]
    assert [(one.labels["workflow_type"], one.labels["le"], one.value) for one in took.samples] == [
        ("Ours", "1", 1),
        ("Ours", "+Inf", 3),
        ("other", "1", 2),
        ("other", "+Inf", 6),
    ]


def test_before_anything_is_registered_no_name_is_kept() -> None:
    found = _collected('# TYPE x_total counter\nx_total{workflow_type="A",activity_type="b"} 1\n', Registered())
    assert [one.labels for one in found["x"].samples] == [{"workflow_type": "other", "activity_type": "other"}]


def test_so_many_names_that_the_page_is_cut_leave_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observability.metrics._MAX_BYTES", 10_000)
    text = "# TYPE a gauge\na 1\n# TYPE z gauge\n" + "".join(f'z{{workflow_type="N{n}"}} 1\n' for n in range(5000))
    found = _collected(text, Registered())
    assert [one.value for one in found["banksman_temporal_core_up"].samples] == [1]
    assert [one.value for one in found["a"].samples] == [1]
    assert len(found["z"].samples) == 1


def _labels_given(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "labels":
            for word in node.keywords:
                yield node.lineno, word.arg or ""


def test_no_metric_of_ours_has_an_id_for_a_label() -> None:
    ids = {"workflow_id", "run_id", "trace_id", "repository", "user", "requester", "digest", "url", "name"}
    folders = ("activities", "connectors", "hitl", "sandbox", "workers", "observability")
    found = {
        f"{path.relative_to(_ROOT)}:{line}: {label}"
        for folder in folders
        for path in (_ROOT / folder).rglob("*.py")
        for line, label in _labels_given(path)
        if label in ids
    }
    assert found == set()
    assert {label for _, label in _labels_given(_ROOT / "hitl/gateway/counts/ends.py")} >= {"goal", "outcome"}
