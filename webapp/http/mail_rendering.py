"""From what the outbox holds to a message: templates/email/<event>/ in the reader's language, as text and as HTML.

Needs an application context and no request: links come ready in the parameters, so no template asks for a route.
"""

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime as rfc5322_date

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from flask import current_app
from flask_babel import force_locale, ngettext

from webapp import clock
from webapp.gateways.mail_transport import mail_address
from webapp.http.devices import common_device_name
from webapp.services.outbox import OutgoingMail
from webapp.services.runtime import runtime
from webapp.settings import Settings

_POLICY = SMTP.clone(cte_type="7bit")  # passes mail servers that know only ASCII


def render(mail: OutgoingMail) -> EmailMessage:
    """The message for `mail`, ready to hand over. Raises MailRefused when its address is none."""
    settings = runtime().settings
    locale = _known(mail.locale)
    with force_locale(locale):
        context = _context(mail, settings, locale)
        subject, text, html = (_render(mail.event, part, context) for part in ("subject.txt", "body.txt", "body.html"))
    message = EmailMessage(policy=_POLICY)
    message["From"] = _sender(settings)
    message["To"] = mail_address(mail.to)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = rfc5322_date(clock.now())
    # The same at every attempt: should a mail go out twice, the mailbox can tell.
    message["Message-ID"] = f"<{mail.id}@{_message_id_host(settings.host)}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: answering machines keep silent
    message.set_content(_tidy(text))
    message.add_alternative(html, subtype="html")
    message["Content-Language"] = str(locale).replace("_", "-")
    return message


def _context(mail: OutgoingMail, settings: Settings, locale: Locale) -> dict[str, object]:
    times = {name: _moment(mail.params.get(name), locale) for name in ("at", "due_at")}
    ours = {"site_name": settings.SITE_NAME, "site_url": settings.PUBLIC_URL, "language": str(locale).replace("_", "-")}
    user_agent = mail.params.get("user_agent")
    device = common_device_name(user_agent) if user_agent else ""
    return {"device": device, **mail.params, **times, **ours, "lifetime": _lifetime(mail)}


def _render(event: str, part: str, context: dict[str, object]) -> str:
    # Not flask.render_template: what pages put into every template is about a request, and here is none.
    return current_app.jinja_env.get_template(f"email/{event}/{part}").render(context)


def _known(locale: str) -> Locale:
    try:
        return Locale.parse(locale)
    except (UnknownLocaleError, ValueError):
        return Locale("en")  # a mail in the wrong language is better than none


def _moment(value: str | None, locale: Locale) -> str:
    """An ISO 8601 time in words, in UTC and saying so; a mail cannot know the reader's zone."""
    if not value:
        return ""
    at = datetime.fromisoformat(value).astimezone(UTC)
    day, time = format_date(at, "long", locale=locale), f"{at:%H:%M} UTC"
    return str(locale.datetime_formats["medium"]).format(time, day)


def _lifetime(mail: OutgoingMail) -> str:
    """How long the mail's link works, in words; empty where the mail does not say."""
    if minutes := mail.params.get("expires_minutes"):
        return str(ngettext("%(num)s minute", "%(num)s minutes", int(minutes)))
    if hours := mail.params.get("expires_hours"):
        return str(ngettext("%(num)s hour", "%(num)s hours", int(hours)))
    if days := mail.params.get("expires_days"):
        return str(ngettext("%(num)s day", "%(num)s days", int(days)))
    return ""


def _sender(settings: Settings) -> Address:
    """MAIL_FROM, "Name <address>" or an address alone. The name may hold a comma and is still one sender."""
    name, bracket, rest = settings.sender.rpartition("<")
    address = mail_address(rest.rstrip("> ") if bracket else settings.sender.strip())
    return Address(name.strip(' "'), address.username, address.domain)


def _message_id_host(host: str) -> str:
    return f"[IPv6:{host}]" if ":" in host else host


def _tidy(text: str) -> str:
    """Without the blank lines and spaces that template tags leave behind."""
    lines = "\n".join(line.strip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"
