"""RFC 3834 as a table: whom the desk answers."""

from __future__ import annotations

import pytest

from abuse_pipeline.mail import read_mail
from abuse_pipeline.model import Envelope
from abuse_pipeline.notices import ReplyPermission, may_reply
from abuse_pipeline.settings import MailLimits

OWN = frozenset({"abuse@hosting.example.jp"})


def permission(fields: str, envelope: Envelope = Envelope()) -> ReplyPermission:  # noqa: B008
    raw = fields.replace("\n", "\r\n").encode() + b"\r\n\r\nhello\r\n"
    return may_reply(read_mail(raw, MailLimits()), envelope, OWN)


@pytest.mark.parametrize(
    ("fields", "envelope", "to"),
    [
        ("From: taro@reporter.example", Envelope(), "taro@reporter.example"),
        ("From: =?utf-8?B?5bGx55Sw?= <taro@reporter.example>", Envelope(), "taro@reporter.example"),
        ("From: taro@reporter.test", Envelope("taro@reporter.test"), "taro@reporter.test"),
        ("From: taro@mail.reporter.co.jp", Envelope("b-1@bounce.reporter.co.jp"), "taro@mail.reporter.co.jp"),
        ("From: taro..y.@docomo.example", Envelope("taro..y.@docomo.example"), "taro..y.@docomo.example"),
        ("From: taro@reporter.example\nAuto-Submitted: no", Envelope(), "taro@reporter.example"),
        ("From: taro@reporter.example\nAuto-Submitted: No\nAuto-Submitted: no", Envelope(), "taro@reporter.example"),
        ("From: taro@reporter.example\nX-Loop: other@desk.example", Envelope(), "taro@reporter.example"),
        ("From: taro+shop@reporter.example", Envelope(), "taro+shop@reporter.example"),
        ("From: taro@reporter.example\nPrecedence: first-class", Envelope(), "taro@reporter.example"),
        ("From: taro@reporter.example\nReply-To: victim@other.example", Envelope(), "taro@reporter.example"),
        ("From: taro@reporter.example\nReturn-Path: <taro@reporter.example>", Envelope(), "taro@reporter.example"),
    ],
)
def test_whom_the_desk_answers(fields: str, envelope: Envelope, to: str) -> None:
    found = permission(fields, envelope)

    assert (found.allowed, found.to) == (True, to)


@pytest.mark.parametrize(
    ("fields", "envelope"),
    [
        ("From: taro@reporter.example\nAuto-Submitted: auto-replied", Envelope()),
        ("From: taro@reporter.example\nAuto-Submitted: auto-generated; x=y", Envelope()),
        ("From: taro@reporter.example", Envelope("")),
        ("From: taro@reporter.example\nReturn-Path: <>", Envelope()),
        ("From: taro@reporter.example", Envelope("owner-list@reporter.example")),
        ("From: taro@reporter.example", Envelope("list-request@reporter.example")),
        ("From: taro@reporter.example", Envelope("list-bounces+x@reporter.example")),
        ("From: MAILER-DAEMON@reporter.example", Envelope()),
        ("From: postmaster@reporter.example", Envelope()),
        ("From: no-reply@reporter.example", Envelope()),
        ("From: noreply@reporter.example", Envelope()),
        ("From: do_not_reply@reporter.example", Envelope()),
        ("From: taro@reporter.example\nList-Id: <l.reporter.example>", Envelope()),
        ("From: taro@reporter.example\nList-Unsubscribe: <mailto:u@reporter.example>", Envelope()),
        ("From: taro@reporter.example\nPrecedence: bulk", Envelope()),
        ("From: taro@reporter.example\nPrecedence: Junk", Envelope()),
        ("From: taro@reporter.example\nX-Abuse-Desk: 1", Envelope()),
        ("From: taro@reporter.example\nX-Auto-Response-Suppress: All", Envelope()),
        ("From: Abuse@Hosting.Example.JP", Envelope()),
        ("From: taro@reporter.example", Envelope("x@other.example")),
        ("From: taro@reporter.example\nReturn-Path: <x@other.example>", Envelope()),
        ("From: taro@a.example, jiro@a.example", Envelope()),
        ("From: taro@a.example\nFrom: jiro@a.example", Envelope()),
        ("From: taro@reporter.example\nFrom:", Envelope()),
        ("From: taro@reporter.example\nFrom: nobody in particular", Envelope()),
        ("From: abuse+x@hosting.example.jp", Envelope()),
        ("From: daemon@reporter.example", Envelope()),
        ("From: auto-reply@reporter.example", Envelope()),
        ("From: autoreply@reporter.example", Envelope()),
        ("From: taro@reporter.example\nAuto-Submitted: no\nAuto-Submitted: auto-replied", Envelope()),
        ("From: taro@reporter.example\nReturn-Path: < >", Envelope()),
        ("From: taro@reporter.example\nX-Loop: <abuse@hosting.example.jp>", Envelope()),
        ("From: taro@reporter.example\nX-Loop: x@y.example\nX-Loop: Abuse+1@hosting.example.jp", Envelope()),
        ("From: taro@reporter.example\nX-ML-Name: foo", Envelope()),
        ("From: taro@reporter.example\nX-ML-Count: 3", Envelope()),
        ("From: taro@reporter.example\nX-BeenThere: l@reporter.example", Envelope()),
        ("From: taro@reporter.example\nMailing-List: contact l@reporter.example", Envelope()),
        ("From: taro@localhost", Envelope()),
        ("From: taro@host.invalid", Envelope()),
        ("From: taro@192.0.2.7", Envelope()),
        ("From: taro@[192.0.2.7]", Envelope()),
        ("From: taro@co.jp", Envelope()),
        ("From: taro", Envelope()),
        ("Subject: nobody", Envelope()),
        (
            "From: a@reporter.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b",
            Envelope(),
        ),
    ],
)
def test_whom_the_desk_does_not_answer(fields: str, envelope: Envelope) -> None:
    found = permission(fields, envelope)

    assert not found.allowed
    assert found.to is None
    assert found.reason
    assert "taro" not in found.reason


def test_a_permission_does_not_show_the_address() -> None:
    assert "taro" not in repr(permission("From: taro@reporter.example"))
