"""The blueprint itself; the modules beside this one hang their views on it."""

from flask import Blueprint

bp = Blueprint("federation", __name__)
