"""What every refusal is."""

from collections.abc import Mapping


class DomainError(Exception):
    """A refusal with a stable public `code`; `details` holds plain values that a message may name. Some are
    secrets of who is refused, such as what resumes a sign-in: details are never logged whole.
    """

    code = "refused"

    def __init__(self, **details: object) -> None:
        super().__init__(self.code)
        self.details: Mapping[str, object] = details
