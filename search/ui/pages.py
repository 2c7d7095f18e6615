"""What `occam ui` adds to MLflow's server: an address that opens the review, and the report.

MLflow finds this app by its entry point, group `mlflow.app`.
"""

from __future__ import annotations

import json
import os
from typing import Any

from flask import Response

from ..report.description import REPORT
from ..runs.searches import SEARCH
from ..runs.store import FAILURES, mlflow
from .review import REVIEW

SANDBOX = "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-modals"

# At the first visit MLflow opens its assistant, over a third of the page: it is left closed.
OPENING = """<!DOCTYPE html><title>Review</title><script>
const seen = "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1";
if (localStorage.getItem(seen) === null) localStorage.setItem(seen, "true");
location.replace({path});
</script>"""


def app() -> Any:
    """MLflow's server, with our pages; made in the process that serves it, as it takes a while."""
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app as server

    flask_app.add_url_rule("/review", view_func=review)
    flask_app.add_url_rule("/report/<run_id>", view_func=report)
    return server


def review() -> Response:
    """Open MLflow where the newest search is reviewed."""
    path = json.dumps(os.environ.get(REVIEW, "/")).replace("<", "\\u003c")
    return Response(OPENING.replace("{path}", path), mimetype="text/html")


def report(run_id: str) -> Response:
    """The report of a search on a page of its own, whose links open; MLflow's viewer has none."""
    try:
        run = mlflow.MlflowClient().get_run(run_id)
        text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{REPORT}")
    except FAILURES:
        return Response("This search has no report.", status=404, mimetype="text/plain")
    if SEARCH not in run.data.tags:
        return Response("This run is no search.", status=404, mimetype="text/plain")
    page = Response(text, mimetype="text/html")
    page.headers["Content-Security-Policy"] = SANDBOX  # it cannot act on MLflow's behalf
    return page
