# ruff: noqa: E501  (Received lines are shown as they are written)
"""The quick way through a usual field says what the thorough reader says, or nothing."""

from __future__ import annotations

import os
from email import message_from_bytes
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from received_mutations import LINES, mutated_field

from abuse_pipeline.model import Hop
from abuse_pipeline.trace.received import _thorough_hop, _usual_hop
from abuse_pipeline.trace.usual import usual_field

CORPUS = Path(os.environ.get("ABUSE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus"))

USUAL = [
    "from h.example (r.example [192.0.2.7]) by mx.example.jp (Postfix) with ESMTP id 4F2A8 for <a@b.example>; Fri, 20 Nov 2026 14:03:12 +0900 (JST)",
    "from h (unknown [IPv6:2001:db8::7]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256) (No client certificate requested) by mx.example.jp (Postfix) with ESMTPS id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
    "from r.example ([192.0.2.7]:4025 helo=h) by mx.example.jp with esmtps (TLS1.3) (Exim 4.96) (envelope-from <x@y.example>) id 1u1abc-0003-2x; Fri, 20 Nov 2026 14:03:12 +0900",
    "from [192.0.2.7]:4025 (helo=h) by mx.example.jp with esmtp (Exim 4.96 #2 (Debian)) id 1u1abc; Fri, 20 Nov 2026 14:03:12 +0900",
    "from h (r.example [192.0.2.7] (may be forged)) by mx.example.jp (8.15.2/8.15.2) with ESMTP id g6123; Fri, 20 Nov 2026 14:03:12 +0900",
    "from h.example (192.0.2.7) by mx.example.jp (10.9.0.2) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_X) id 15.20.1.2 via Frontend Transport; Fri, 20 Nov 2026 05:03:12 +0000",
    "from h.example (2001:db8:1::7) by mx.example.jp with HTTPS; Fri, 20 Nov 2026 05:03:12 +0000",
    "from r.example (r.example. [192.0.2.7]) by mx.google.com with ESMTPS id a1si2 for <a@b.example> (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128); Thu, 19 Nov 2026 21:03:12 -0800 (PST)",
    "from r.example (HELO h.example) (192.0.2.7) by mx.example.jp with SMTP; 20 Nov 2026 05:03:12 -0000",
    "from r.example ([192.0.2.7]) by mx.example.jp with esmtpsa (TLS1.3) tls TLS_AES_256_GCM_SHA384 (Exim 4.96) (envelope-from <x@y.example>) id 1u; Fri, 20 Nov 2026 14:03:12 +0900",
    "from h ([192.0.2.7]) by mx.example.jp with Microsoft SMTPSVC(6.0.3790.4675); Fri, 20 Nov 2026 14:03:12 +0900",
    "from root by web1.example.com with local (Exim 4.92) id 1a; Fri, 20 Nov 2026 14:03:12 +0900",
    "by 2002:a05:6a10:f3d0:: with SMTP id x20mr123; Thu, 19 Nov 2026 21:03:12 -0800 (PST)",
    "by web1.example.com (Postfix, from userid 33) id 394DCE0; Fri, 20 Nov 2026 14:03:12 +0900 (JST)",
]


def _quick(text: str) -> Hop | None:
    field = usual_field(text)
    return _usual_hop(2, text, text, field) if field is not None else None


@pytest.mark.parametrize("line", USUAL)
def test_usual_fields_go_the_quick_way(line: str) -> None:
    assert _quick(line) == _thorough_hop(2, line, line)


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=200, deadline=None)
def test_both_ways_say_the_same(seed: int) -> None:
    below = Random(seed).randrange
    for _ in range(20):
        text = " ".join(mutated_field(below, USUAL + LINES).split())
        quick = _quick(text)
        assert quick is None or quick == _thorough_hop(2, text, text), text


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus: set ABUSE_CORPUS to its folder")
def test_both_ways_say_the_same_of_real_fields() -> None:
    quick = total = 0
    for path in sorted(CORPUS.glob("*/**/*.eml")):
        for part in message_from_bytes(path.read_bytes()).walk():
            for raw in part.get_all("received", []):
                text = " ".join(str(raw).split())
                hop = _quick(text)
                total += 1
                quick += hop is not None
                assert hop is None or hop == _thorough_hop(2, text, text), text
    print(f"\n{quick} of {total} fields go the quick way")
    assert quick > 0.7 * total


@pytest.mark.parametrize(
    "line",
    [
        "from h.example (r.example [192.0.2.7]) by mx.example.jp (Postfix) with ESMTP id by; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h.example (r.example [192.0.2.7]) by mx.example.jp (Postfix) with for id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h.example (r.example [192.0.2.7]) by with with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h.example (r.example [192.0.2.7]) by : (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h.example (r.example [192.0.2.7]) by mx.example.jp (x by y [192.0.2.8]) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from x by y (r.example [192.0.2.7]) by mx.example.jp (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h (a([192.0.2.8]) [192.0.2.7]) by mx.example.jp (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h (r.example [192.0.2.777]) by mx.example.jp (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h\u3042 (r.example [192.0.2.7]) by mx.example.jp (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
        "from h (r.example [192.0.2.7]) (authenticated bits=0) by mx.example.jp (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900",
    ],
)
def test_what_might_be_read_two_ways_goes_the_thorough_way(line: str) -> None:
    assert _quick(line) is None
