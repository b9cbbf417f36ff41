"""Collect the needles of a submission."""

from __future__ import annotations

from abuse_pipeline.mail import Mail
from abuse_pipeline.model import Envelope
from abuse_pipeline.privacy.needle import CommonProperty, Needle


def collect_needles(mail: Mail | None, raw: bytes, envelope: Envelope, common: CommonProperty) -> tuple[Needle, ...]:
    """Every string of the submission that could identify its reporter or a recipient, wherever it stands."""
    found = [Needle(a, "envelope") for a in (envelope.mail_from, *envelope.rcpt_to) if a]
    return tuple(n for n in found if n.text.casefold() not in common.strings)
