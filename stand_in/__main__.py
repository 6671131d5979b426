"""Start the stand-in and run a command beside it: python -m stand_in -- COMMAND...

The command finds the provider by STAND_IN_PROVIDER_URL and STAND_IN_CLIENT_SECRET in its environment. The issuer is the
same at every start, so that a site knows people again; the keys are new.
"""

import argparse
import os
import secrets
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

from stand_in import child
from stand_in.clients import Client
from stand_in.provider import Provider
from stand_in.server import HOST, Server, listen

CLIENT_ID = "stand-in"
CALLBACK = "/login/google/callback"
DEFAULT_PUBLIC_URL = "http://127.0.0.1:8000"
DISTANCE = 1000  # between the site's port and ours
HIGHEST_PORT = 65535


def main() -> int:
    """The exit code of the command."""
    options = _options()
    if os.environ.get("APP_ENV", "").strip().lower() == "production":
        sys.exit("Not started: the stand-in provider lets anybody in as anybody, and APP_ENV is production")
    port = options.port if options.port is not None else chosen_port(os.environ, options.public_url)
    try:
        listening = listen(port)
    except (OSError, OverflowError):
        sys.exit(f"Not started: the stand-in provider cannot have port {port} (set STAND_IN_PORT to one that is free)")
    secret = os.environ.get("STAND_IN_CLIENT_SECRET") or secrets.token_urlsafe(32)
    issuer = f"http://{HOST}:{listening.getsockname()[1]}"
    provider = Provider(issuer, [_client(secret, options.public_url, os.environ)])
    server = Server(listening, provider.app)
    server.start()
    try:
        told = {"STAND_IN_PROVIDER_URL": issuer, "STAND_IN_CLIENT_SECRET": secret}
        return child.run(options.command, os.environ | told)
    except OSError as error:
        sys.exit(f"Not started: {options.command[0]}: {error.strerror}")
    finally:
        server.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stand_in", description="An OpenID provider to try a site with.")
    parser.add_argument("--port", type=int, help="default: STAND_IN_PORT, else the site's and 1000")
    parser.add_argument(
        "--public-url",
        default=os.environ.get("PUBLIC_URL") or DEFAULT_PUBLIC_URL,
        help=f"where the site is (default: PUBLIC_URL, else {DEFAULT_PUBLIC_URL})",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what starts the site, after --")
    return parser.parse_args()


def chosen_port(environ: Mapping[str, str], public_url: str) -> int:
    """STAND_IN_PORT, else the port that belongs to the site's: the same one at every start."""
    chosen = environ.get("STAND_IN_PORT")
    if chosen:
        if not (chosen.isascii() and chosen.isdigit() and int(chosen) <= HIGHEST_PORT):
            sys.exit("Not started: STAND_IN_PORT must be the number of a port")
        return int(chosen)
    try:
        parts = urlsplit(public_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        sys.exit("Not started: PUBLIC_URL must be an address such as http://127.0.0.1:8000")
    return port + DISTANCE if port + DISTANCE <= HIGHEST_PORT else port - DISTANCE


def _client(secret: str, public_url: str, environ: Mapping[str, str]) -> Client:
    apps = tuple(uri.strip() for uri in environ.get("API_REDIRECT_URIS", "").split(",") if uri.strip())
    return Client(
        client_id=CLIENT_ID,
        secret=secret,
        redirect_uris=(_as_browsers_write(public_url) + CALLBACK,),
        name=environ.get("SITE_NAME") or "Doorway",
        onward_uris=apps,
    )


def _as_browsers_write(origin: str) -> str:
    """An origin in small letters and without the port that goes without saying, as the site writes its own."""
    origin = origin.rstrip("/").lower()
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80").removesuffix(":")


if __name__ == "__main__":
    sys.exit(main())
