"""The operator's commands, grouped by noun. Each calls one service; each is safe to repeat."""

import uuid

import click
from flask import Flask
from flask.cli import AppGroup

from webapp.doctor import examine
from webapp.errors import DomainError
from webapp.gateways.mail_transport import transport_for
from webapp.http.mail_rendering import render
from webapp.services import housekeeping, outbox
from webapp.services import users as user_service
from webapp.services.runtime import runtime

users = AppGroup("users", help="Accounts: create, list, disable, enable, sign-out.")
sessions = AppGroup("sessions", help="Login sessions.")
mail = AppGroup("mail", help="The outbox.")

_REFUSALS = {
    "email_invalid": "that is not an address mail can be sent to",
    "email_taken": "there is an account with that address",
    "not_found": "there is no account with that address",
}


def register(app: Flask) -> None:
    """Give `flask --app wsgi` its commands."""
    for group in (users, sessions, mail):
        app.cli.add_command(group)
    app.cli.add_command(doctor)


@users.command("create")
@click.argument("email")
@click.option("--name", default="", metavar="NAME", help="What the person is called.")
@click.option("--locale", type=click.Choice(["en", "ko"]), default="en", help="The language of their mails.")
def create(email: str, name: str, locale: str) -> None:
    """Make an account and mail EMAIL a link to choose a password. Nobody but its owner ever knows the password."""
    with PlainRefusals():
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
@click.argument("email")
def disable(email: str) -> None:
    """Close the account of EMAIL; every login session of it ends at once."""
    with PlainRefusals():
        user_service.disable_user(email)
    click.echo("closed; signed out everywhere")


@users.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Open the closed account of EMAIL again."""
    with PlainRefusals():
        user_service.enable_user(email)
    click.echo("open")


@users.command("sign-out")
@click.argument("email")
def sign_out(email: str) -> None:
    """End every login session of EMAIL."""
    with PlainRefusals():
        ended = user_service.sign_out_user(email)
    click.echo(f"{ended} login sessions ended")


@sessions.command("purge")
def purge() -> None:
    """Remove what is over: sessions, links, counters, old events, sent mails, accounts due for deletion."""
    for name, gone in housekeeping.purge(slices=10_000).items():
        click.echo(f"{name:<22} {gone}")


@mail.command("send")
@click.option("--limit", type=click.IntRange(1, 10_000), default=500, metavar="MAILS", show_default=True)
def send(limit: int) -> None:
    """Send the mails that are due, as the workers do; for cron, or after a mail server was away."""
    sent = outbox.send_due(render, transport_for(runtime().settings), limit=limit)
    click.echo(f"{sent} sent, {outbox.pending().waiting} waiting")


@click.command("doctor")
def doctor() -> None:
    """Look at everything the site needs; each line is ok or says what to do. Exit code 1 where something is wrong."""
    healthy = True
    for finding in examine():
        healthy = healthy and finding.ok
        click.echo(f"{'ok  ' if finding.ok else 'DO  '} {finding.subject:<12} {finding.text}")
    if not healthy:
        raise SystemExit(1)


class PlainRefusals:
    """A refusal ends the command with one line."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, DomainError):
            raise click.ClickException(_REFUSALS.get(error.code, error.code)) from None
