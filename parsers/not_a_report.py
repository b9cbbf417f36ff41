"""Format `not_a_report`: bounces, receipts, automatic replies, challenges, our own messages coming back.

They get no answer (RFC 3834 section 2) and make no case; the submission is kept with the reason.
"""

from __future__ import annotations

from abuse_pipeline.api import NOT_MINE, Bid, Disposition, Mail, ParseContext, Report
from parsers._automatic import why_automatic


class NotAReportParser:
    """Takes what nobody wrote, and leaves alone what programs report: feedback reports and attached spam."""

    def recognise(self, mail: Mail, context: ParseContext) -> Bid:
        why = why_automatic(mail, context)
        return Bid(why.strength, why.reason) if why else NOT_MINE

    def parse(self, mail: Mail, context: ParseContext) -> Report:
        why = why_automatic(mail, context)
        reason = why.reason if why else "taken as no report by choice of the caller: nothing in it says so"
        # Without a sign of its own a message is never dropped: a person looks at it.
        disposition = Disposition.NONE if why else Disposition.STAFF
        return Report("not_a_report", disposition=disposition, reasons=(reason,), machine=why is not None)
