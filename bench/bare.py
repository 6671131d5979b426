"""The bare Flask application that the site is held against: the same bytes, and nothing else."""

import os
from pathlib import Path

from flask import Flask, Response, json, jsonify, render_template_string

PAGE = Path(os.environ["BARE_PAGE"]).read_text(encoding="utf-8") if "BARE_PAGE" in os.environ else ""
CLAIMS = json.loads(os.environ.get("BARE_CLAIMS", "{}"))

app = Flask(__name__)


@app.get("/account")
def account() -> str:
    """The account page's own bytes through Jinja, for nobody in particular."""
    return render_template_string("{% raw %}" + PAGE + "{% endraw %}")


@app.get("/api/v1/auth/session")
def session() -> Response:
    """What an access token says, for whoever asks."""
    return jsonify(CLAIMS)


@app.get("/healthz")
def healthz() -> str:
    """So that the same starter knows when it answers."""
    return "ok"
