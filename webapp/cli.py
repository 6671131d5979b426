"""The operator's commands, grouped by noun. Each calls one service; each is safe to repeat.

What cannot be done ends with one line on stderr and exit code 1, a command that makes no sense with exit code 2.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from webapp.doctor import examine
from webapp.errors import DomainError, NotFound, StoreUnavailable
from webapp.gateways.mail_transport import transport_for
from webapp.http.mail_rendering import render
from webapp.services import housekeeping, outbox, resealing, signing_keys
from webapp.services import users as user_service
from webapp.services.operating_figures import outbox_figures
from webapp.services.runtime import runtime


class PlainGroup(AppGroup):
    """Commands whose refusals and outages are told in one line, without a traceback and without a value."""

    unknown = "there is no account with that address"  # what NotFound means here

    def invoke(self, ctx: click.Context) -> Any:
        with _in_one_line(self.unknown):
            return super().invoke(ctx)


class OneLine(click.ParamType[str]):
    """Text that a person can have typed: no control characters, no bytes that are not UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text) or not _is_utf8(text):
            self.fail("holds characters that nobody can type", param, ctx)
        return text


users = PlainGroup("users", help="Accounts: create, list, disable, enable, sign-out, reset-factors.")
sessions = PlainGroup("sessions", help="Login sessions: purge, revoke-all.")
keys = PlainGroup("keys", help="The keys that sign access tokens: list, rotate, retire.")
keys.unknown = "there is no such key, or it was taken back before"
mail = PlainGroup("mail", help="The outbox: send.")
secrets = PlainGroup("secrets", help="What is kept sealed under SECRET_KEY: reseal.")

_REFUSALS = {
    "email_invalid": "that is not an address mail can be sent to",
    "email_taken": "there is an account with that address",
}
_OUTAGE = "a store does not answer as it should; `flask --app wsgi doctor` says which and what to do"


def register(app: Flask) -> None:
    """Give `flask --app wsgi` its commands."""
    for group in (users, sessions, keys, mail, secrets):
        app.cli.add_command(group)
    app.cli.add_command(doctor)


@users.command("create")
@click.argument("email", type=OneLine())
@click.option("--name", type=OneLine(), default="", metavar="NAME", help="What the person is called.")
@click.option("--locale", type=click.Choice(["en", "ko"]), default="en", help="The language of their mails.")
def create(email: str, name: str, locale: str) -> None:
    """Make an account and mail EMAIL a link to choose a password. Nobody but its owner ever knows the password."""
    user_id = user_service.create_user(email, name=name, locale=locale)
    click.echo(f"{user_id} made; the link to choose a password is in the outbox")


@users.command("list")
@click.option("--after", type=click.UUID, metavar="ID", help="Go on after this account.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, metavar="ROWS", show_default=True)
def list_(after: uuid.UUID | None, limit: int) -> None:
    """Show accounts, the oldest first: id, when made, state, address."""
    for user in user_service.list_users(limit=limit, after=after):
        states = {
            "disabled": user.disabled_at,
            "to be deleted": user.deletion_due_at,
            "password blocked": user.password_blocked_at,
            "unconfirmed": user.email_verified_at is None,
        }
        state = ", ".join(name for name, is_so in states.items() if is_so) or "ok"
        click.echo(f"{user.id}  {user.created_at:%Y-%m-%d %H:%M}  {state:<16}  {user.email}")


@users.command("disable")
@click.argument("email", type=OneLine())
def disable(email: str) -> None:
    """Close the account of EMAIL; every login session of it ends at once."""
    user_service.disable_user(email)
    click.echo("closed; signed out everywhere")


@users.command("enable")
@click.argument("email", type=OneLine())
def enable(email: str) -> None:
    """Open the closed account of EMAIL again."""
    user_service.enable_user(email)
    click.echo("open")


@users.command("sign-out")
@click.argument("email", type=OneLine())
def sign_out(email: str) -> None:
    """End every login session of EMAIL."""
    ended = user_service.sign_out_user(email)
    click.echo(f"{ended} login sessions ended")


@users.command("reset-factors")
@click.argument("email", type=OneLine())
def reset_factors(email: str) -> None:
    """Take the second factors of EMAIL away, once you know by other means that it is their owner who has lost them."""
    user_service.reset_factors_of(email)
    click.echo("its second factors are gone, and every device was signed out; a mail tells of it")


@sessions.command("purge")
def purge() -> None:
    """Remove what is over: sessions, links, counters, old events, sent mails, accounts due for deletion."""
    for name, gone in housekeeping.purge(slices=10_000).items():
        click.echo(f"{name:<22} {gone}")


@sessions.command("revoke-all")
def revoke_all() -> None:
    """End every login session of everybody, on the web and in apps; they sign in anew. For emergencies."""
    click.echo(f"{user_service.sign_out_everybody()} login sessions ended")


@keys.command("list")
def list_keys() -> None:
    """Show the keys, the oldest first: id, state, from when on it signs."""
    for key in signing_keys.list_keys():
        click.echo(_key_line(key))


@keys.command("rotate")
def rotate() -> None:
    """Announce the next key. It signs by itself once everybody who keeps our key set has read it anew; no token fails.

    Every 90 days the workers do so on their own.
    """
    click.echo(_key_line(signing_keys.rotate_keys()))


@keys.command("retire", context_settings={"ignore_unknown_options": True})  # an id may begin with a dash
@click.argument("kid", type=OneLine())
def retire(kid: str) -> None:
    """Take the key KID back at once, because somebody else may have it. What it signed is refused here within seconds;
    apps get new tokens by themselves. Services that verify by our key set follow when they read it anew.
    """
    signing_keys.withdraw_key(kid)
    click.echo("withdrawn; the next key signs")


@keys.command("retire-all")
def retire_all() -> None:
    """Take every key back and sign with a new one, as after a copy of the database was put back. Apps refresh once."""
    click.echo(f"{signing_keys.withdraw_all_keys()} withdrawn; a new key signs")


@mail.command("send")
@click.option("--limit", type=click.IntRange(1, 10_000), default=500, metavar="MAILS", show_default=True)
def send(limit: int) -> None:
    """Send the mails that are due, as the workers do; for cron, or after a mail server was away."""
    sent = outbox.send_due(render, transport_for(runtime().settings), limit=limit)
    click.echo(f"{sent} sent, {outbox_figures().told}")


@secrets.command("reseal")
def reseal() -> None:
    """Seal under today's SECRET_KEY what one of the fallbacks sealed: authenticator apps, providers' tokens, signing
    keys. For when every site runs with the new key, and before the fallback goes.
    """
    done, lost = resealing.reseal()
    click.echo(f"{done} sealed anew" + (f", {lost} that no key here opens" if lost else ""))


@click.command("doctor")
@with_appcontext
def doctor() -> None:
    """Look at everything the site needs; each line is ok or says what to do. Exit code 1 where something is wrong."""
    healthy = True
    for finding in examine():
        healthy = healthy and finding.ok
        click.echo(f"{'ok  ' if finding.ok else 'DO  '} {finding.subject:<12} {finding.text}")
    if not healthy:
        raise SystemExit(1)


def _key_line(key: signing_keys.KeyOverview) -> str:
    is_lost = not key.readable and key.state is not signing_keys.KeyState.GONE
    trouble = "  unreadable: its SECRET_KEY is missing" if is_lost else ""
    return f"{key.kid}  {key.state:<9}  {key.active_from:%Y-%m-%d %H:%M}{trouble}"


@contextmanager
def _in_one_line(unknown: str) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable:
        raise click.ClickException(_OUTAGE) from None
    except NotFound:
        raise click.ClickException(unknown) from None
    except DomainError as error:
        raise click.ClickException(_REFUSALS.get(error.code, error.code)) from None
    except (SQLAlchemyError, RedisError) as error:
        raise click.ClickException(f"{_OUTAGE} ({type(error).__name__})") from None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
