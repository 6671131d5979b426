"""The bare Flask page that the site is held against: the same HTML, one template, and nothing else."""

import os
from pathlib import Path

from flask import Flask, render_template_string

PAGE = Path(os.environ["BARE_PAGE"]).read_text(encoding="utf-8")

app = Flask(__name__)


@app.get("/account")
def account() -> str:
    """The account page's own bytes through Jinja, for nobody in particular."""
    return render_template_string("{% raw %}" + PAGE + "{% endraw %}")


@app.get("/healthz")
def healthz() -> str:
    """So that the same starter knows when it answers."""
    return "ok"
