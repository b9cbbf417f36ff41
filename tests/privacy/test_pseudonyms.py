"""Pseudonyms: stable, keyed, readable aloud."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.privacy.pseudonyms import address_hmac, domain_token, pseudonym

KEY = b"k" * 32


def test_the_same_mailbox_in_other_clothes() -> None:
    name = pseudonym(KEY, "taro@example.jp")
    assert {pseudonym(KEY, other) for other in (" Taro@Example.JP\n", "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ")} == {name}
    assert pseudonym(KEY, "jiro@example.jp") != name


def test_another_key_gives_another_name() -> None:
    assert pseudonym(b"x" * 32, "taro@example.jp") != pseudonym(KEY, "taro@example.jp")


def test_a_known_answer() -> None:
    """HMAC-SHA256 under the key "Jefe" (RFC 4231, test case 2)."""
    assert address_hmac(b"Jefe", "what do ya want for nothing?").startswith("5bdcc146bf60754e6a042426089575c7")
    assert pseudonym(b"Jefe", "what do ya want for nothing?") == "R-BFEC2H"


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec=None)), st.integers(6, 51))
def test_any_text_has_a_name_and_longer_ones_continue_it(address: str, length: int) -> None:
    name = pseudonym(KEY, address, length)
    assert re.fullmatch(rf"R-[0-9A-HJKMNP-TV-Z]{{{length}}}", name)
    assert name.startswith(pseudonym(KEY, address))


@pytest.mark.parametrize("length", [0, 5, 52])
def test_lengths_that_are_none(length: int) -> None:
    with pytest.raises(ValueError, match="6 to 51"):
        pseudonym(KEY, "taro@example.jp", length)


def test_a_domain_has_a_token_of_its_own_kind() -> None:
    token = domain_token(KEY, "example.jp")
    assert re.fullmatch(r"D-[0-9A-HJKMNP-TV-Z]{16}", token)
    assert {domain_token(KEY, other) for other in ("Example.JP.", " ｅｘａｍｐｌｅ.jp\n")} == {token}
    assert domain_token(KEY, "example.com") != token
    assert domain_token(b"x" * 32, "example.jp") != token
    assert token[2:8] != pseudonym(KEY, "example.jp")[2:], "a reporter who is called like a domain is not to be told"


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_has_a_domain_token(text: str) -> None:
    assert re.fullmatch(r"D-[0-9A-HJKMNP-TV-Z]{16}", domain_token(KEY, text))
