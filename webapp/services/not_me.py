"""The owner saw something they did not do."""

from webapp import clock
from webapp.models import User
from webapp.policy.login_sessions import EndReason
from webapp.policy.one_time import Purpose
from webapp.policy.security_events import EventKind
from webapp.services import account_mail
from webapp.services.client import Client
from webapp.services.factors import remove_recent_factors
from webapp.services.identities import forget_identities
from webapp.services.known_devices import forget_devices
from webapp.services.login_sessions import MULTI_FACTOR, SignedIn, end_login_sessions
from webapp.services.one_time import end_tokens
from webapp.services.security_events import record_event
from webapp.services.sign_in import end_steps
from webapp.services.transaction import transaction
from webapp.services.trusted_browsers import distrust_all


def report_not_me(signed_in: SignedIn, client: Client) -> None:
    """End every login session, this one too, and block the password until a mailed link sets a new one.

    Asks for no fresh proof: an owner in a hurry must not be held up, and a thief who presses it locks themselves out.
    The mailbox decides, because both of them may know the password.
    """
    with transaction() as tx:
        user = tx.get_one(User, signed_in.user_id, with_for_update=True)
        user.password_blocked_at = clock.now()
        end_login_sessions(tx, user.id, EndReason.NOT_ME)
        end_steps(tx, user.id)
        end_tokens(tx, user.id, Purpose.CHANGE_EMAIL)
        forget_identities(tx, user.id)  # one of them may be the thief's; who has the mailbox links theirs again
        forget_devices(tx, user.id)
        # Not for who has shown one factor of two: it would be the way round the second. Trust ends in any case.
        if MULTI_FACTOR in signed_in.methods:
            remove_recent_factors(tx, user)
        distrust_all(tx, user.id)
        record_event(tx, user.id, EventKind.NOT_ME, client, login_session_id=signed_in.login_session_id)
        account_mail.tell_sessions_ended(tx, user, client)
