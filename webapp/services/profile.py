"""What a person says of themselves: name and language."""

from sqlalchemy import update

from webapp.models import User
from webapp.policy.names import clean_name
from webapp.services.login_sessions import SignedIn
from webapp.services.transaction import transaction


def change_profile(signed_in: SignedIn, *, name: str, locale: str) -> None:
    """Set name and language; the address and the password have their own ways."""
    with transaction() as tx:
        tx.execute(update(User).where(User.id == signed_in.user_id).values(name=clean_name(name), locale=locale))
