"""What the site is held against: bare Flask, which knows nobody, on the same gunicorn with the same bytes.

A JSON route with the same answer; a page of the same bytes; a refresh that is one `UPDATE ... RETURNING` and one
signature, on an engine with the same settings.
"""

import json
import os
import secrets
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine, text

from webapp.database import configure_database, tune_engine
from webapp.settings import Settings

ANSWERS = json.loads(Path(os.environ["BARE_ANSWERS"]).read_text(encoding="utf-8"))

app = Flask(__name__)
_settings = Settings.from_env()
configure_database(app, _settings)
_engine = create_engine(app.config["SQLALCHEMY_DATABASE_URI"], **app.config["SQLALCHEMY_ENGINE_OPTIONS"])
tune_engine(_engine, _settings)
_key = ec.generate_private_key(ec.SECP256R1())
_STEP = text("UPDATE lines SET generation = generation + 1 WHERE id = :id RETURNING generation")


@app.get("/session")
def session() -> Response:
    """What an access token says, for whoever asks."""
    return jsonify(ANSWERS["session"])


@app.get("/me")
def me() -> Response:
    """An account, for whoever asks."""
    return jsonify(ANSWERS["me"])


@app.get("/page")
def page() -> str:
    """The bytes of the session page."""
    return str(ANSWERS["page"])


@app.post("/refresh")
def refresh() -> Response:
    """Step a line, and sign a token of the same claims."""
    number = int(request.get_json()["refresh_token"])
    with _engine.begin() as connection:
        generation = connection.execute(_STEP, {"id": number}).scalar_one()
    now = int(time.time())
    claims = {**ANSWERS["session"], "jti": secrets.token_hex(16), "iat": now, "nbf": now, "exp": now + 600}
    token = jwt.encode(claims, _key, "ES256", headers={"typ": "at+jwt", "kid": "bare"})
    return jsonify(access_token=token, refresh_token=str(number), generation=generation)


@app.get("/healthz")
def healthz() -> str:
    """So that the same starter knows when it answers."""
    return "ok"
