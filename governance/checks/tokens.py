"""Tokens by which a callback answers: one is good for one check of one request, with exactly one content, once.

Nothing is stored: a token is a message authentication code (HMAC-SHA256, RFC 2104) under the key of the settings. It
is used up when the check has its answer, and worth nothing for another round, whose content has another digest.
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

from governance.domain.errors import ConfigurationError, NotAuthorizedError
from governance.domain.request import OpenedRequirement

MIN_KEY_BYTES = 16


def token_of(key: str | None, request_id: str, opened: OpenedRequirement) -> str:
    """Return the token for the check; ConfigurationError without a key of at least 16 bytes."""
    if key is None or len(key.encode()) < MIN_KEY_BYTES:
        msg = f"tokens take settings.callback_key (GOVERNANCE_CALLBACK_KEY), a secret of at least {MIN_KEY_BYTES} bytes"
        raise ConfigurationError(msg, request=request_id)
    text = "\n".join((request_id, opened.id, str(opened.round), opened.asked.name or "", opened.digest))
    code = hmac.new(key.encode(), f"governance check\n{text}".encode(), sha256).digest()
    return urlsafe_b64encode(code).decode().rstrip("=")


def check_token(token: str, key: str | None, request_id: str, opened: OpenedRequirement) -> None:
    """Refuse a token that is not that of this check with this content: NotAuthorizedError."""
    expected = token_of(key, request_id, opened)
    if not isinstance(token, str) or not hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode()):
        msg = f"the token is not good for check {opened.asked.name} of request {request_id} as it is now"
        raise NotAuthorizedError(msg, request=request_id, requirement=opened.id)
