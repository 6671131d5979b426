"""What every new password has to pass, wherever it is chosen."""

from webapp.errors import PasswordRefused
from webapp.policy.passwords import judge_password
from webapp.services.runtime import runtime


def check_new_password(password: str, *, email: str, name: str) -> None:
    """Raise PasswordRefused, naming the rule and the least length, unless the password may be used."""
    settings = runtime().settings
    rule = judge_password(
        password,
        min_length=settings.PASSWORD_MIN_LENGTH,
        breached=runtime().breached,
        email=email,
        name=name,
        site_name=settings.SITE_NAME,
    )
    if rule is not None:
        raise PasswordRefused(rule, min_length=settings.PASSWORD_MIN_LENGTH)
