"""How `abuse trace` prints a chain, at every width, and `--received`, `--recipient`, `--why`."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import contract_shapes
import pytest
from abuse_command import CONFIG, ROOT, SAMPLES, abuse
from rich.cells import cell_len

from abuse_pipeline.cli.chain import Page, chain_lines, shortened
from abuse_pipeline.model import Confidence, Hop, JudgedHop, Moment, Origin, Verdict
from abuse_pipeline.trace.pasted import LARGEST

TOKYO = ZoneInfo("Asia/Tokyo")
NOON = datetime(2026, 11, 20, 3, 0, 0, tzinfo=UTC)
FORGED = SAMPLES / "forwarded_attachment" / "forged-tail.eml"
SHOWN = [
    SAMPLES / "forwarded_attachment" / f"{name}.eml"
    for name in ("forged-tail", "own-relay", "gmail-style", "webmail-elsewhere", "ipv6", "exchange", "time-no-zone")
]
PASTED = """\
Received: from mx.example.jp (mx.example.jp [10.1.2.3])
\tby store.example.jp (Postfix) with ESMTP id C;
\tFri, 20 Nov 2026 14:03:14 +0900 (JST)
Received: from bad.example (unknown [203.0.113.66])
\tby mx.example.jp (Postfix) with ESMTP id A
\tfor <a@example.jp>; Fri, 20 Nov 2026 14:03:12 +0900 (JST)
"""


def _hop(index: int, verdict: Verdict, seconds: float | None = 0, **fields: object) -> JudgedHop:
    """seconds: how long before noon UTC+9 it was stamped."""
    moment = Moment(NOON - timedelta(seconds=seconds)) if seconds is not None else None
    given = {
        "ip": ip_address("192.0.2.7"),
        "helo": "mail.example",
        "by": "mx.example.jp",
        "stamped_at": moment,
        **fields,
    }
    return JudgedHop(
        replace(Hop(index, "raw"), **given), verdict, f"the reason of hop {index}, in a sentence of its own"
    )


def _origin(*hops: JudgedHop) -> Origin:
    found = next((j.hop for j in hops if j.verdict is Verdict.HANDOVER), None)
    if found is None:
        return Origin.unknown("nothing is known", hops)
    return Origin(found.ip, Confidence.WITNESSED, "recorded", moment=found.stamped_at, hops=hops)


def _plain(origin: Origin, page: Page) -> list[str]:
    return [click.unstyle(line) for line in chain_lines(origin, TOKYO, page)]


LONG = _origin(
    *(
        _hop(
            index,
            (Verdict.RECIPIENT_SIDE, Verdict.HANDOVER, Verdict.CLAIMED)[min(index, 2)],
            index * 61,
            ip=ip_address(f"2001:db8:aaaa:bbbb:cccc:dddd:eeee:{index:x}") if index % 3 else ip_address("192.0.2.7"),
            helo="very-long-name-of-a-host.in.a.department.of.example" if index % 2 else "ホスト名.example",
            by=f"relay-{index}.with-a-rather-long-name.example",
        )
        for index in range(30)
    )
)


@pytest.mark.parametrize("width", [*range(70, 130), 200, 400])
def test_every_line_fits_the_terminal_and_the_columns_stand(width: int) -> None:
    lines = _plain(LONG, Page(width))
    assert max(map(cell_len, lines)) <= width
    rows = lines[1:31]
    assert [int(row[2:5]) for row in rows] == list(range(30)), "one line a hop"
    assert all(str(judged.hop.ip) in row for judged, row in zip(LONG.hops, rows, strict=True)), "addresses stay whole"
    assert len({cell_len(row[: row.index("->")]) for row in rows if "->" in row}) <= 1


def test_a_narrow_terminal_loses_columns_in_order() -> None:
    """Each narrower page shows no column that a wider one lacks; verdict and address stay."""
    title = [_plain(LONG, Page(width))[0] for width in range(250, 20, -1)]
    shown = [tuple(word in line for word in ("delay", "written by", "JST", " name")) for line in title]
    assert shown[0] == (True, True, True, True)
    assert shown[-1] == (False, False, False, False)
    assert shown == sorted(shown, key=lambda columns: -sum(columns))
    names = [line for line, columns in zip(title, shown, strict=True) if columns[3]]
    assert all("written by" in line and "JST" in line for line in names), "the client's name goes first"


def test_without_a_terminal_nothing_is_cut() -> None:
    lines = _plain(LONG, Page(80, cut=False))
    assert all(judged.hop.by in line for judged, line in zip(LONG.hops, lines[1:], strict=False) if judged.hop.by)
    assert "…" not in "".join(lines)
    longest = _origin(_hop(0, Verdict.HANDOVER, by=f"{'b' * 240}.example"))
    assert f"{'b' * 240}.example" in _plain(longest, Page(80, cut=False))[1]
    assert max(map(cell_len, abuse("trace", FORGED, COLUMNS="60").lines())) <= 60
    said = abuse("trace", FORGED, COLUMNS="").out
    assert "vps66.tabibito-net.example" in said
    assert "2026-11-20 14:02:50" in said


def test_one_endless_name_does_not_push_the_others_away() -> None:
    lines = _plain(_origin(_hop(0, Verdict.HANDOVER, helo="h" * 5000), _hop(1, Verdict.CLAIMED)), Page(80, cut=False))
    assert len(lines[1]) < 400
    assert len(lines[2]) < 140


@pytest.mark.parametrize(
    ("above", "below", "shown"),
    [
        (0, 0, "+0s"),
        (0, 3, "+3s"),
        (0, 119, "+119s"),
        (0, 120, "+2m"),
        (0, 7200, "+2h"),
        (7200, 0, "-2h"),
        (5, 0, "-5s"),
        (0, 3 * 86_400, "+3d"),
        (0, 22 * 366 * 86_400, "+22y"),
        (None, 3, ""),
        (0, None, ""),
    ],
)
def test_how_far_a_clock_stands_from_the_hop_above(above: float | None, below: float | None, shown: str) -> None:
    lines = _plain(_origin(_hop(0, Verdict.HANDOVER, above), _hop(1, Verdict.CLAIMED, below)), Page(120))
    last = lines[2].split()[-1]
    assert (last == shown) if shown else last[0] not in "+-" or last == "-"


def test_a_clock_is_told_no_finer_than_the_line_told_it() -> None:
    minute = Moment(NOON - timedelta(seconds=30), "minute")
    lines = _plain(_origin(_hop(0, Verdict.HANDOVER), _hop(1, Verdict.CLAIMED, stamped_at=minute)), Page(120))
    assert lines[2].split()[-2:] == ["11:59", "+0m"]


def test_the_nearest_hop_above_with_a_time_counts() -> None:
    hops = _hop(0, Verdict.RECIPIENT_SIDE), _hop(1, Verdict.HANDOVER, None), _hop(2, Verdict.CLAIMED, 9)
    assert _plain(_origin(*hops), Page(120))[3].split()[-1] == "+9s"


def test_days_are_shown_where_the_hops_do_not_share_one() -> None:
    for days, shape in ((0, "  12:00:00  "), (1, "  11-19 12:00:00  "), (365 * 20, "  2006-11-25 12:00:00  ")):
        hops = _hop(0, Verdict.HANDOVER), _hop(1, Verdict.CLAIMED, days * 86_400)
        assert shape in _plain(_origin(*hops), Page(72))[2]


def test_the_day_and_the_zone_stand_above_the_times() -> None:
    hops = _hop(0, Verdict.HANDOVER), _hop(1, Verdict.CLAIMED)
    assert "11-20 JST" in _plain(_origin(*hops), Page(70))[0]
    assert "time (JST)" in _plain(_origin(*hops), Page(120))[0]
    summer = _hop(1, Verdict.CLAIMED, 150 * 86_400)
    title = click.unstyle(chain_lines(_origin(hops[0], summer), ZoneInfo("Europe/Berlin"), Page(150))[0])
    assert "time (Europe/Berlin)" in title, "two names of one zone: neither stands for both"


def test_a_name_that_only_the_client_said_is_in_quotes() -> None:
    confirmed = _hop(0, Verdict.HANDOVER, rdns="mail.example", helo="other.example")
    unconfirmed = _hop(1, Verdict.CLAIMED, rdns=None, helo="mail.example")
    lines = _plain(_origin(confirmed, unconfirmed), Page(120))
    assert " mail.example " in lines[1]
    assert '"mail.example"' in lines[2]


def test_nothing_known_is_a_dash() -> None:
    bare = _hop(0, Verdict.UNREADABLE, None, ip=None, helo=None, by=None)
    lines = _plain(_origin(bare), Page(120))
    assert lines[1].split() == ["0", "unreadable", "-", "-", "->", "-", "-"]
    assert lines[2:] == ["origin: unknown", "        nothing is known"]
    assert _plain(Origin.unknown("no chain"), Page(80)) == ["origin: unknown", "        no chain"]


def test_the_handover_is_marked_and_the_origin_s_line_shines() -> None:
    hops = _hop(0, Verdict.RECIPIENT_SIDE), _hop(1, Verdict.HANDOVER), _hop(2, Verdict.CLAIMED)
    lines = chain_lines(_origin(*hops), TOKYO, Page(120))
    assert [line.startswith("=>") for line in lines[1:4]] == [False, True, False]
    assert [click.style("192.0.2.7", bold=True) in line for line in lines[1:4]] == [False, True, False]
    assert click.style("handover      ", fg="green") in lines[2]
    assert click.style("claimed       ", fg="yellow") in lines[3]
    assert lines[-2].startswith("origin: ")
    assert "2026-11-20 12:00:00 JST (witnessed)" in lines[-2]


def test_reasons_follow_each_hop_when_asked_for() -> None:
    lines = _plain(LONG, Page(40, why=True))
    reasons = " ".join(line.strip() for line in lines if line.startswith("      ") and "reason" in line)
    assert all(f"the reason of hop {index}," in reasons for index in range(30))
    assert not any("reason of hop" in line for line in _plain(LONG, Page(40)))


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("mail.example", 12, "mail.example"),
        ("mail.example", 10, "mai…xample"),
        ("ホスト名の長い名前", 9, "ホ…い名前"),
        ("mail.example", 1, "…"),
    ],
)
def test_names_are_shortened_in_the_middle(text: str, width: int, short: str) -> None:
    assert shortened(text, width) == short
    assert cell_len(shortened(text, width)) <= width


def test_what_a_stranger_wrote_is_shown_as_text() -> None:
    hostile = "\x1b[31m\x9b\r\n\u202e\u2066\ud800" + "a" * 9
    origin = _origin(_hop(0, Verdict.HANDOVER, helo=hostile, rdns=None, by=hostile))
    for width in (60, 80, 120, 300):
        for line in _plain(origin, Page(width, cut=width < 300)):
            assert line.isprintable(), line
            line.encode()


def _on_a_terminal(columns: int, *arguments: object, **environment: str) -> str:
    """What the program writes on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    given |= {"ABUSE_CONFIG": str(CONFIG), "ABUSE_NOW": "", "TERM": "xterm-256color", **environment}
    command = [sys.executable, "-m", "abuse_pipeline.cli.main", *map(str, arguments)]
    running = subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL, env=given, cwd=ROOT)
    os.close(slave)
    said = b""
    try:
        while chunk := os.read(master, 65_536):
            said += chunk
    except OSError:  # Linux says EIO when the other side has gone
        pass
    os.close(master)
    assert running.wait(timeout=60) == 0
    return said.decode("utf-8").replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [80, 120])
def test_a_real_terminal(columns: int) -> None:
    for sample in SHOWN:
        said = _on_a_terminal(columns, "trace", sample)
        assert max(cell_len(click.unstyle(line)) for line in said.splitlines()) <= columns, said
    assert "\x1b[32mhandover" in said
    assert "\x1b[" not in _on_a_terminal(columns, "trace", FORGED, NO_COLOR="1")


def test_explain_keeps_the_reasons() -> None:
    said = abuse("explain", FORGED).out
    assert "mx.kitakaze.example recorded 203.0.113.66 as its client" in said
    assert "=> 1 handover" in said


def test_the_reasons_are_asked_for() -> None:
    short, long = abuse("trace", FORGED), abuse("trace", "--why", FORGED)
    assert short.err.splitlines()[-1] == "abuse trace --why shows the reason for each line"
    assert "as its client" not in short.out
    assert "mx.kitakaze.example recorded 203.0.113.66 as its client" in long.out
    assert "--why" not in long.err


def test_pasted_headers_give_the_document_of_a_message() -> None:
    pasted = abuse("trace", "--json", "--received", stdin=PASTED.encode()).document()
    message = abuse("trace", "--json", "-", stdin=f"{PASTED}\nbody".encode()).document()
    contract_shapes.trace(pasted)
    assert pasted == message
    assert isinstance(pasted, dict)
    assert pasted["origin"]["ip"] == "203.0.113.66"


def test_pasted_headers_come_from_a_file_or_standard_input(tmp_path: Path) -> None:
    quoted = "以下にヘッダを貼り付けます\n\n" + "".join(f"> {line}\n" for line in PASTED.splitlines())
    for number, codec in enumerate(("utf-8", "utf-16", "cp932", "iso2022_jp")):
        file = tmp_path / f"{number}.txt"
        file.write_bytes(quoted.encode(codec))
        from_file = abuse("trace", "--received", file)
        assert from_file.lines() == abuse("trace", "--received", stdin=file.read_bytes()).lines()
        assert from_file.lines() == abuse("trace", "--received", "-", stdin=file.read_bytes()).lines()
        assert "origin: 203.0.113.66 at 2026-11-20 14:03:12 JST" in from_file.out


@pytest.mark.parametrize("stdin", [b"", b"hello", b"From: a@example.jp\nSubject: x\n\nhello"])
def test_without_a_received_field_it_says_what_to_paste(stdin: bytes) -> None:
    ran = abuse("trace", "--received", stdin=stdin)
    assert (ran.code, ran.out) == (1, "")
    assert 'standard input: no Received field is in it; paste all lines that begin with "Received:"' in ran.err
    assert "Gmail" in ran.err


def test_the_word_received_inside_a_line_is_not_enough() -> None:
    ran = abuse(
        "trace", "--received", stdin=b"my lines: Received: from a ([192.0.2.7]) by b; Fri, 20 Nov 2026 14:03 +0900"
    )
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1].endswith("no line of it begins with Received:; begin each line with Received:")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", None),
        ("\n> > Received: from a.example\n", "1 more Received line stands outside"),
        (f"\nand before that\n\n{PASTED}", "2 more Received lines stand outside"),
    ],
)
def test_received_lines_outside_the_block_are_told(more: str, said: str | None) -> None:
    alone = abuse("trace", "--received", "--json", stdin=PASTED.encode())
    ran = abuse("trace", "--received", "--json", stdin=f"{PASTED}{more}".encode())
    assert ran.out == alone.out
    assert (said in ran.err) if said else "outside" not in ran.err


def test_a_chain_of_the_mail_itself_is_called_so() -> None:
    said = "no reported message in it: this is the chain of the mail itself"
    assert said in abuse("trace", SAMPLES / "prose" / "no-headers.eml").err.splitlines()
    assert said not in abuse("trace", FORGED).err


def test_of_several_messages_the_first_is_traced() -> None:
    spam = f"{PASTED}From: x@bad.example\nSubject: {{}}\n\nbuy\n"
    parts = [f"Content-Type: message/rfc822\n\n{spam.format(number)}" for number in range(3)]
    body = "\n--b\n".join(["", "Content-Type: text/plain\n\nspam, please stop it\n", *parts])
    fields = 'From: taro@example.jp\nSubject: spam\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n'
    ran = abuse("trace", "-", stdin=f"{fields}{body}\n--b--\n".encode())
    assert "the report holds 3 messages; this is the chain of the first" in ran.err.splitlines()
    assert "origin: 203.0.113.66" in ran.out
    assert "messages" not in abuse("trace", FORGED).err


def test_too_much_is_refused() -> None:
    ran = abuse("trace", "--received", stdin=b"x" * (LARGEST + 1))
    assert (ran.code, ran.out) == (1, "")
    assert "is longer than 10 MB; paste the header of the mail alone" in ran.err


def test_a_file_is_needed_unless_headers_are_pasted() -> None:
    ran = abuse("trace")
    assert ran.code == 2
    assert "Missing argument 'FILE'" in ran.err


# The gateway's own name is in the recipient's domain, which nothing in the chain itself shows.
BEHIND_A_GATEWAY = b"""\
Received: from gw.recipient.example (gw.recipient.example [203.0.113.200])
\tby mx.filter.example (Postfix) with ESMTP id C; Fri, 20 Nov 2026 14:03:14 +0900 (JST)
Received: from bad.example (unknown [203.0.113.66])
\tby gw.recipient.example (Postfix) with ESMTP id A; Fri, 20 Nov 2026 14:03:12 +0900 (JST)
"""


@pytest.mark.parametrize("given", ["recipient.example", "Mail.Recipient.Example.", "<haruka@recipient.example>"])
@pytest.mark.parametrize("received", [(), ("--received",)], ids=["message", "pasted"])
def test_the_recipient_s_domain_can_be_told(given: str, received: tuple[str, ...]) -> None:
    origins = [
        abuse("trace", "--json", *received, *more, "-", stdin=BEHIND_A_GATEWAY).document()["origin"]["ip"]
        for more in ((), ("--recipient", "other.example"), ("--recipient", "other.example", "--recipient", given))
    ]
    assert origins == ["203.0.113.200", "203.0.113.200", "203.0.113.66"]


def test_of_a_report_the_reporter_s_domain_still_counts() -> None:
    report = b"""\
From: Haruka <haruka@recipient.example>
To: abuse@hosting.example.jp
Subject: spam
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

This is spam.
--b
Content-Type: message/rfc822

%s\
Subject: buy

buy
--b--
"""
    for more in ((), ("--recipient", "filter.example")):
        ran = abuse("trace", "--json", *more, "-", stdin=report % BEHIND_A_GATEWAY)
        assert ran.document()["origin"]["ip"] == "203.0.113.66"


@pytest.mark.parametrize("wrong", ["", "co.jp", "localhost", "192.0.2.7", "a b", "@"])
def test_a_recipient_that_is_no_domain_is_refused(wrong: str) -> None:
    ran = abuse("trace", "--recipient", wrong, FORGED)
    assert (ran.code, ran.out) == (2, "")
    assert "--recipient" in ran.err
    assert "write it like example.jp" in ran.err
