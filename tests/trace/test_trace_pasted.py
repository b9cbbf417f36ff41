"""Pasted header text: whatever mail programs and people do to it, no Received field is joined with another or cut."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from textwrap import indent, wrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_chains import rules

from abuse_pipeline.errors import LimitExceeded
from abuse_pipeline.model import Hop
from abuse_pipeline.trace import RecipientSide, find_origin, read_hop
from abuse_pipeline.trace.pasted import LARGEST, MOST_LINES, NOT_ONE_FIELD, pasted_headers, pasted_text
from abuse_pipeline.trace.received import UNBALANCED, UNREADABLE

ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]{4}:[0-9a-f:]+|::", re.IGNORECASE)
FILES = sorted((Path(__file__).parent / "dialects").glob("*.toml"))
LINES = {
    file.stem: [" ".join(line["received"].split()) for line in tomllib.loads(file.read_text("utf-8"))["line"]]
    for file in FILES
}
EVERY = [line for lines in LINES.values() for line in lines if line]
WHOLE = [line for line in EVERY if read_hop(0, line).stamped_at and UNBALANCED not in read_hop(0, line).defects]
STAMPED = [line for line in WHOLE if read_hop(0, line).ip is not None]

TRUE = "203.0.113.5"
INTERNAL = (
    "from mx.example.jp (mx.example.jp [10.1.2.3]) by store.example.jp (Postfix) with ESMTP id C;"
    " Fri, 20 Nov 2026 14:03:14 +0900 (JST)"
)
HANDOVER = (
    "from {helo} (unknown [203.0.113.5]) by mx.example.jp (Postfix) with ESMTP id A for <a@example.jp>;"
    " Fri, 20 Nov 2026 14:03:12 +0900 (JST)"
)
HEADER = """\
Return-Path: <x@bad.example>
Delivered-To: a@example.jp
Received: from mx.example.jp (mx.example.jp [10.1.2.3])
\tby store.example.jp (Postfix) with ESMTP id C;
\tFri, 20 Nov 2026 14:03:14 +0900 (JST)
Received: from bad.example (unknown [203.0.113.5])
\tby mx.example.jp (Postfix) with ESMTP id A
\tfor <a@example.jp>; Fri, 20 Nov 2026 14:03:12 +0900 (JST)
Subject: hello
"""
CHAIN = [INTERNAL, HANDOVER.format(helo="bad.example")]
ONLY_RECEIVED = HEADER[HEADER.index("Received") : HEADER.index("Subject")]


def _received(text: str) -> list[str]:
    return [" ".join(value.split()) for name, value in pasted_headers(text) if name.lower() == "received"]


def _spaced(text: str) -> str:
    """A blank line above every field."""
    return "".join(f"\n{line}" if line[:1].strip() else line for line in text.splitlines(keepends=True))


AS_PEOPLE_PASTE = {
    "as it stands": HEADER,
    "only Received": ONLY_RECEIVED,
    "quoted": indent(HEADER, "> "),
    "quoted without a blank": indent(HEADER, ">"),
    "quoted three times": indent(HEADER, "> >> "),
    "quoted in Japanese": indent(HEADER, "＞ "),
    "indented": indent(HEADER, "    "),
    "indented by full-width blanks": indent(HEADER, "\u3000\u3000"),
    "indented and quoted": indent(HEADER, "  > "),
    "selected behind the quote mark": indent(HEADER, "> ")[2:],
    "selected behind the indentation": indent(HEADER, "    ")[4:],
    "CRLF": HEADER.replace("\n", "\r\n"),
    "CR": HEADER.replace("\n", "\r"),
    "CR CR LF": HEADER.replace("\n", "\r\r\n"),
    "line separators": HEADER.replace("\n", "\u2028"),
    "a mark of the byte order": "\ufeff" + ONLY_RECEIVED,
    "zero-width blanks in front": indent(HEADER, "\u200b"),
    "no-break blanks": HEADER.replace("\t", "\u00a0 \u00a0"),
    "full-width blanks": HEADER.replace("\t", "\u3000"),
    "no blanks left": HEADER.replace("\n\t", "\n"),
    "no blanks left, quoted": indent(HEADER.replace("\n\t", "\n"), "> "),
    "some blanks left": HEADER.replace("\n\tby", "\nby"),
    "every field on one line": HEADER.replace("\n\t", " "),
    "blank lines between fields": _spaced(HEADER),
    "blank lines between fields, quoted": indent(_spaced(HEADER), "> ", lambda line: True),
    "blank lines between all lines": HEADER.replace("\n", "\n\n"),
    "blank lines between all lines, no blanks left": HEADER.replace("\n", "\n\n").replace("\t", ""),
    "Japanese above": "お世話になります。\n以下にヘッダを貼り付けます\n" + HEADER,
    "Japanese above and below": f"ヘッダー：\n\n{ONLY_RECEIVED}\n以上、よろしくお願いします。\n",
    "Japanese right below": f"{ONLY_RECEIVED}以上、よろしくお願いします。\n山田\n",
    "English right below": f"{ONLY_RECEIVED}Please stop this.\nBest regards\n",
    "unquoted right below": f"{indent(ONLY_RECEIVED, '> ')}Please stop this.\n",
    "a mail around it": f"From: a@example.jp\nTo: abuse@example.jp\nSubject: spam\n\nHello,\n\n{HEADER}\nBye\n",
    "a word above": f"Headers:\n{HEADER}",
    "a word above, quoted": f"Headers:\n{indent(HEADER, '> ')}",
    "a word above, indented": f"Headers:\n{indent(HEADER, '    ')}",
    "an mbox line above": f"From x@bad.example Fri Nov 20 14:03:12 2026\n{HEADER}",
    "a body below": f"{HEADER}\nHello\nReceived: from a by b; Fri, 20 Nov 2026 14:00:00 +0900\n",
    "a body that is a field": f"{HEADER}\nReceived: from a by b; Fri, 20 Nov 2026 14:00:00 +0900\n",
    "in other letters": HEADER.replace("Received:", "RECEIVED :"),
    "with a full-width colon": HEADER.replace("Received:", "Received："),
    "the page of Gmail": "Original Message\n\nMessage ID\t<1@bad.example>\nFrom:\tx@bad.example\nSubject:\thello\n"
    f"SPF:\tPASS with IP 203.0.113.5\n\nDownload Original\nCopy to clipboard\n{HEADER}",
}


@pytest.mark.parametrize("text", AS_PEOPLE_PASTE.values(), ids=AS_PEOPLE_PASTE)
def test_as_people_paste(text: str) -> None:
    assert _received(text) == CHAIN


def test_the_other_fields_keep_their_place() -> None:
    names = [name for name, _ in pasted_headers(indent(HEADER, "> "))]
    assert names == ["Return-Path", "Delivered-To", "Received", "Received", "Subject"]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp932", "iso2022_jp"])
def test_bytes_of_any_editor(codec: str) -> None:
    assert _received(pasted_text(f"以下にヘッダを貼り付けます\n\n{HEADER}".encode(codec))) == CHAIN


@pytest.mark.parametrize(
    "text", ["", "\n\n", "hello", "From: a\nTo: b\n\nhello", "> > >", "Received", "X-Received: by a"]
)
def test_nothing_there(text: str) -> None:
    assert pasted_headers(text) == ()


def _folded(words: list[str], breaks: list[bool], fold: str) -> str:
    text = words[0]
    for word, broken in zip(words[1:], breaks, strict=False):
        text += (fold if broken else " ") + word
    return text


@st.composite
def _headers(draw: st.DrawFn, lines: list[str], fold: st.SearchStrategy[str]) -> tuple[str, list[str]]:
    """A header block whose Received fields are broken anywhere between two words, and their values."""
    chosen = draw(st.lists(st.sampled_from(lines), min_size=2, max_size=5))
    between = draw(st.lists(st.sampled_from(["Subject: Re: hello", "X-Spam: no", "DKIM-Signature: v=1;"]), max_size=2))
    text = ""
    for line in chosen:
        words = line.split(" ")
        breaks = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
        text += f"Received: {_folded(words, breaks, draw(fold))}\n"
    return "".join(f"{field}\n" for field in between) + text, chosen


@given(
    _headers(WHOLE, st.sampled_from(["\n\t", "\n ", "\n        ", "\n\u00a0\u00a0", "\n\u3000"])),
    st.sampled_from(["", "> ", ">", "> > ", ">>> ", "    ", "  > ", "| "]),
    st.sampled_from(["\n", "\r\n", "\r\r\n", "\r"]),
    st.sampled_from(["", "以下にヘッダを貼り付けます\n", "Hello,\n\n", "\ufeff", "From: a\nTo: b\n\n"]),
    st.sampled_from(["", "\n", "\nReceived: from planted by body\n", "\n以上です\n"]),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_quoting_indenting_and_folding_change_nothing(
    header: tuple[str, list[str]], prefix: str, breaks: str, above: str, below: str, spaced: bool
) -> None:
    text, expected = header
    if spaced and not below:
        text = _spaced(text)
    if breaks == "\r" and "\n" in "".join(expected):
        breaks = "\n"
    pasted = above + indent(text, prefix, lambda line: True) + below
    assert _received(pasted.replace("\n", breaks)) == expected


@given(
    st.lists(st.sampled_from(STAMPED), min_size=1, max_size=5),
    st.integers(40, 100),
    st.sampled_from(["", "> "]),
)
@settings(max_examples=300, deadline=None)
def test_a_mail_client_that_folds_anew_and_drops_the_blanks_changes_nothing(
    chain: list[str], width: int, prefix: str
) -> None:
    """What holds another address, or a word that ends with a colon (`sender: …`), may become unreadable."""
    lines = [
        line
        for each in chain
        for line in wrap(f"Received: {each}", width, break_long_words=False, break_on_hyphens=False)
    ]
    found = _received("\n".join(prefix + line for line in lines))
    for value, line in zip(found, chain, strict=True):
        doubtful = ": " in line or len(ADDRESS.findall(line)) > 1
        assert value == line or (doubtful and value == f"{NOT_ONE_FIELD} {line}")


@given(_headers(EVERY, st.sampled_from(["\n", "\n\t"])))
@settings(max_examples=400, deadline=None)
def test_where_nothing_shows_the_fields_they_are_whole_or_unreadable(header: tuple[str, list[str]]) -> None:
    text, _ = header
    found = [f"{name}: {value}" for name, value in pasted_headers(text)]
    words = " ".join(found).replace(NOT_ONE_FIELD, "").split()
    assert words == text.split(), "nothing is lost"
    for value in _received(text):
        if value.startswith(NOT_ONE_FIELD):
            assert read_hop(0, value).defects == (UNREADABLE,)


HELOS = [
    "Received:",
    "Received: from x (x [192.0.2.66]) by mx.example.jp",
    "x (x [192.0.2.66]) Received:",
    "x (x [192.0.2.66]) by mx.example.jp with ESMTP Received: from y",
    "x (x [192.0.2.66]) by mx.example.jp; Received: from y",
    "x (x [192.0.2.66]) Subject: y",
    "x (x [192.0.2.66]) > Received: y",
    "x (x [192.0.2.66]) X-Originating-IP: [192.0.2.66]",
    "x ( Received: from x (x [192.0.2.66]) by mx.example.jp; Fri, 20 Nov 2026 14:03:12 +0900",
    "x (x [192.0.2.66]) あ",
    "[192.0.2.66] id: Received: by",
]


@pytest.mark.parametrize("helo", HELOS)
@pytest.mark.parametrize("fold", ["\n", "\n\t", "\n> ", "\n\t> "], ids=repr)
def test_a_name_in_the_helo_moves_no_address(helo: str, fold: str) -> None:
    """The HELO is broken where it hurts; the text is followed and not followed by more, below and not below a hop."""
    line = HANDOVER.format(helo=helo)
    words = line.split(" ")
    for above in ("", f"Received: {INTERNAL}\n", f"Received: {INTERNAL}\n".replace(" by ", "\n\tby ")):
        for below in ("", f"Received: from f by g; {line[line.index('Fri') :]}\nSubject: x\n"):
            for at in range(1, len(words)):
                for more in (len(words), at + 1):
                    breaks = [number in (at, more) for number in range(1, len(words))]
                    text = f"{above}Received: {_folded(words, breaks, fold)}\n{below}"
                    for pasted in (text, indent(text, "> ")):
                        origin = find_origin(_received(pasted), RecipientSide(), rules())
                        assert str(origin.ip) in (TRUE, "None"), pasted


def test_a_carriage_return_in_a_helo_is_no_line() -> None:
    helo = "x\rReceived: from x (x [192.0.2.66]) by mx.example.jp; Fri, 20 Nov 2026 14:03:12 +0900"
    text = f"Received: {HANDOVER.format(helo=helo)}\nSubject: x\n"
    assert len(_received(text)) == 1


def _same_or_less(hop: Hop, whole: Hop) -> None:
    assert hop.ip in (whole.ip, None)
    assert hop.port in (whole.port, None)
    if hop.stamped_at is not None and whole.stamped_at is not None and hop.stamped_at != whole.stamped_at:
        assert hop.stamped_at.precision == "minute"
        assert hop.stamped_at.at == whole.stamped_at.at.replace(second=0)


@given(st.sampled_from(STAMPED), st.data())
@settings(max_examples=600, deadline=None)
def test_a_line_cut_inside_a_word_gives_less_and_nothing_else(line: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(5, len(line) - 1))
    fold = data.draw(st.sampled_from(["\n", "\n> "]))
    for value in _received(f"> Received: {line[:at]}{fold}{line[at:]}\n> Subject: x"):
        _same_or_less(read_hop(0, value), read_hop(0, line))


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_field_whose_beginning_is_missing_is_not_passed_over(lost: int) -> None:
    """Else the chain would begin one host further down, and what a forger wrote there would be the recipient's word."""
    found = _received(ONLY_RECEIVED[len("Received") + lost :])
    assert found[0].startswith(NOT_ONE_FIELD)
    assert found[1:] == CHAIN[1:]
    assert find_origin(found, RecipientSide(), rules()).ip is None


DOUBTFUL = {
    "cut in the name of the software": "Received: from [192.0.2.7] (helo=[10.9.8.7]) by mx.example.jp with smtp (Ex\n"
    "im 4.50) id 1a; Fri, 20 Nov 2026 14:03:12 +0900\n",
    "a name further in, where another line has lost its blanks": f"Received: from x\n\tReceived: y {HANDOVER[7:]}\n"
    "Subject: a\nb\nTo: c\n",
    "a name at the margin, inside brackets": "Received: from x (y; 20 Nov 2026 14:03:12 +0900\n"
    f"Received: from z) {HANDOVER[12:]}\nSubject: a\n",
}


def test_an_address_cut_in_two_leaves_no_address() -> None:
    text = "Received: from unknown (HELO [198.51.100.66]) (192\n.0.2.7) by mta1.mail.kks.yahoo.co.jp with SMTP; "
    (value,) = _received(text + "20 Nov 2026 14:03:12 +0900\n")
    assert read_hop(0, value).ip is None


@pytest.mark.parametrize("text", DOUBTFUL.values(), ids=DOUBTFUL)
def test_what_cannot_be_told_is_unreadable(text: str) -> None:
    assert [value.startswith(NOT_ONE_FIELD) for value in _received(text)] == [True]
    assert [value.startswith(NOT_ONE_FIELD) for value in _received(indent(text, "> "))] == [True]


@pytest.mark.parametrize("heading", ["Headers:\n", "Headers:\nof the mail\n", "Subject: x\nhello\n"])
def test_below_a_heading_the_margin_is_that_of_the_fields(heading: str) -> None:
    """A single field, whose further lines hold what would be a field if the heading were the margin."""
    line = HANDOVER.format(helo="Received: from y").replace(" Received", "\n        Received")
    quoted = indent(f"Received: {line}\nSubject: b\n", "> ")
    assert _received(heading + quoted) == [" ".join(line.split())]
    indented = indent(ONLY_RECEIVED[ONLY_RECEIVED.rindex("Received") :], "    ")
    assert _received("Headers:\n" + indented) == CHAIN[1:]


def test_two_fields_on_one_line_are_not_one() -> None:
    text = f"Received: by mx.example.jp with LMTP Received: {HANDOVER.format(helo='x')}"
    assert [read_hop(0, value).defects for value in _received(text)] == [(UNREADABLE,)]


@given(st.text(alphabet=st.sampled_from("Received:  \t\n\r>|＞\u3000;()[]12:34 from by Subject-あ"), max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_text_is_read(text: str) -> None:
    for name, value in pasted_headers(text):
        assert name
        assert "\n" not in value


@given(st.binary(max_size=300))
def test_any_bytes_are_text(raw: bytes) -> None:
    pasted_headers(pasted_text(raw))


SIZE = 1_000_000
HOSTILE = {
    "blanks": "Received: " + " " * SIZE,
    "blank lines": "Received: a\n" + "\n" * (MOST_LINES - 2),
    "quote marks": "> " * (SIZE // 2) + "Received: x",
    "quote marks on each line": "> > > > > Received: x\n" * (SIZE // 22),
    "brackets": "Received: " + "(" * SIZE,
    "semicolons": "Received: " + ";" * SIZE,
    "one name": "Received:" * (SIZE // 9),
    "fields": "Received: x\n" * (SIZE // 12),
    "headings": "A:\n" * (MOST_LINES - 1),
    "headings apart": "A:\n\n" * (MOST_LINES // 2 - 1),
    "lines": "Received: x\n" + "y\n" * (MOST_LINES - 2),
    "prose": "Received: x by y; 1 Nov 2026 14:03 +0900\n" + "y\n" * (MOST_LINES - 2),
    "digits": "Received: ;" + "1" * SIZE,
    "stamps": "; 20 Nov 2026 " * (SIZE // 14) + "\nReceived: x",
    "dashes": "-" * SIZE + "\nReceived: x",
    "a long name": "a" * SIZE + ": x\nReceived: x",
    "indented": "".join(f"{' ' * (number % 80)}Received: x\n" for number in range(SIZE // 52)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_takes_no_time(text: str) -> None:
    started = time.perf_counter()
    pasted_headers(text)
    assert time.perf_counter() - started < 5


def test_what_is_too_long_is_refused_with_a_word_what_to_do() -> None:
    for text in ("x" * (LARGEST + 1), "\n" * MOST_LINES):
        with pytest.raises(LimitExceeded, match="paste the header of the mail alone"):
            pasted_headers(text)
