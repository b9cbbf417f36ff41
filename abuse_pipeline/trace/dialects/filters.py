"""Filters in front of mailboxes, as appliances, services or programs beside the MTA.

A row here narrows what is read: the filter writes its client in one shape, so any other text is the client's own. None
of them is known to confirm the client's name. A filter without a row writes as the generic row reads it; its lines
stand in tests/trace/dialects/ all the same.
"""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import (
    ALONE,
    BARE,
    BRACKET_THEN_HELO,
    HOST,
    NOT_VERIFIED,
    PAREN,
    Dialect,
    mark,
)

_REMARK: Final = r"(?:\([^()]{0,300}\) )?"
_ENVELOPE: Final = r"\(envelope-from <[^\s()<>]{0,300}>, uid \d{1,10}\)"

FILTERS: Final = (
    # received_line in its source: HELO and the connection's address; a name stands only in the remark on BY.
    Dialect("amavis", "(amavis", mark(rf"{HOST}{_REMARK}\(amavis(?:d-new|d)?, "), (PAREN,)),
    Dialect("mxlogic", "(mxl_mta-", mark(rf"{HOST}\(mxl_mta-"), (BRACKET_THEN_HELO,)),
    Dialect("mailmarshal", " MailMarshal ", mark(rf"{HOST}with MailMarshal "), (NOT_VERIFIED, PAREN)),
    Dialect("trustwave", " Trustwave SEG ", mark(rf"{HOST}with Trustwave SEG "), (NOT_VERIFIED, PAREN)),
    # The address is TCPREMOTEIP (qmail-scanner-queue); before 1.24 the envelope sender stood there, with another BY.
    Dialect(
        "qmail-scanner",
        " qmail-scanner-",
        mark(rf"{HOST}{_ENVELOPE} with qmail-scanner-"),
        (ALONE,),
        alone_is_peer=True,
    ),
    Dialect("qmail-scanner-1", " qmail-scanner-1", mark(rf"{HOST}by uid \d{{1,10}} with qmail-scanner-1"), ()),
    Dialect("fsecure", "(F-Secure/", mark(rf"{HOST}\(F-Secure/(?:fsigk|virusgw)_smtp/"), (BARE,)),
    Dialect("lolipop-fsecure", "(LOLIPOP-Fsecure)", mark(rf"{HOST}\(LOLIPOP-Fsecure\)"), (BARE,)),
    Dialect("m-filter", "m-FILTER with ", mark(r"m-FILTER with "), (BARE,)),
)
