# ruff: noqa: E501  (Received lines are shown as they are written)
"""How the hosts of generated chains write their Received fields: one function a dialect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from abuse_pipeline.model import IPAddress


@dataclass(frozen=True)
class Peer:
    """A client as the host that accepts its mail sees it. `name` is confirmed, `claimed_name` is only its PTR record."""

    ip: IPAddress
    helo: str
    name: str | None = None
    claimed_name: str | None = None


def _literal(ip: IPAddress) -> str:
    return f"IPv6:{ip}" if isinstance(ip, IPv6Address) else str(ip)


def postfix(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.helo} ({peer.name or 'unknown'} [{_literal(peer.ip)}])\n\tby {by} (Postfix) with ESMTP id 4F1\n\tfor <a@b.example>; {when} (JST)"


def exim(peer: Peer, by: str, when: str) -> str:
    rest = f"by {by} with esmtps (TLS1.3) (Exim 4.96)\n\t(envelope-from <x@y.example>) id 1u1; {when}"
    if peer.name is None:
        return f"from [{peer.ip}] (helo={peer.helo})\n\t{rest}"
    return f"from {peer.name} ([{peer.ip}]:4025 helo={peer.helo})\n\t{rest}"


def sendmail(peer: Peer, by: str, when: str) -> str:
    doubt = " (may be forged)" if peer.name is None and peer.claimed_name else ""
    name = peer.name or peer.claimed_name
    return f"from {peer.helo} ({name + ' ' if name else ''}[{_literal(peer.ip)}]{doubt})\n\tby {by} (8.15.2/8.15.2) with ESMTP id g6; {when}"


def qmail(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.name or peer.claimed_name or 'unknown'} (HELO {peer.helo}) ({peer.ip})\n  by {by} with SMTP; {when}"


def exchange(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.helo} ({peer.ip}) by\n {by} (10.9.0.2) with Microsoft SMTP\n Server id 15.1.2507.39; {when}"


def courier(peer: Peer, by: str, when: str) -> str:
    literal = str(peer.ip) if isinstance(peer.ip, IPv6Address) else f"::ffff:{peer.ip}"
    return f"from {peer.helo} ({peer.name or peer.claimed_name or 'unknown'} [{literal}])\n  (TLS: TLSv1.3,256bits,AEAD)\n  by {by} with ESMTPS; {when}"


def ironport(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.name or peer.claimed_name or 'unknown'} (HELO {peer.helo}) ([{peer.ip}])\n  by {by} with ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384; {when}"


def momentum(peer: Peer, by: str, when: str) -> str:
    bracketed = f"[{peer.ip}]:40125" if isinstance(peer.ip, IPv6Address) else f"[{peer.ip}:40125]"
    return f"from [{peer.ip}] ({bracketed} helo={peer.helo})\n\tby {by} (envelope-from <x@y.example>)\n\t(ecelerity 4.2.38 r(:)) with ESMTP\n\tid 59/CD-1; {when}"


def haraka(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.helo} ({peer.name or peer.claimed_name or 'Unknown'} [{peer.ip}])\n\tby {by} (Haraka/3.0.3) with ESMTPS id 3F0.1\n\tenvelope-from <x@y.example>;\n\t{when}"


def google(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.helo} ({(peer.name or peer.claimed_name or '') + '. ' if peer.name or peer.claimed_name else ''}[{peer.ip}])\n        by {by} with ESMTPS id a1si2.3.2026\n        for <a@b.example>; {when}"


def plain(peer: Peer, by: str, when: str) -> str:
    return f"from {peer.helo} ({peer.name or peer.claimed_name or 'unknown'} [{_literal(peer.ip)}]) by {by} with ESMTP id 77; {when}"


def postfix_login(peer: Peer, by: str, when: str) -> str:
    line = postfix(peer, by, when).replace("with ESMTP ", "with ESMTPSA ")
    return line.replace("\n\tby", "\n\t(Authenticated sender: taro@b.example)\n\tby", 1)


def exim_login(peer: Peer, by: str, when: str) -> str:
    return exim(peer, by, when).replace("with esmtps ", "with esmtpsa ")


def sendmail_login(peer: Peer, by: str, when: str) -> str:
    line = sendmail(peer, by, when).replace("with ESMTP ", "with ESMTPSA ")
    return line.replace("\n\tby", "\n\t(authenticated bits=0)\n\tby", 1)


Stamp = Callable[[Peer, str, str], str]
STAMPS: tuple[Stamp, ...] = (
    postfix, exim, sendmail, qmail, exchange, plain, courier, ironport, momentum, haraka, google,
)  # fmt: skip
CONFIRMING: tuple[Stamp, ...] = (postfix, exim, sendmail)
LOGGED_IN: tuple[Stamp, ...] = (postfix_login, exim_login, sendmail_login)
