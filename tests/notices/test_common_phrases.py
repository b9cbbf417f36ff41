"""The phrases that the leak gate knows as ours are exactly the fixed text of the templates.

After changing a template run this file as a program: ``python tests/notices/test_common_phrases.py`` rewrites the list.
"""

from __future__ import annotations

from pathlib import Path

import abuse_pipeline.privacy
from abuse_pipeline.notices import envelope, notice, replies, words
from abuse_pipeline.notices.render import constant_text
from abuse_pipeline.privacy.forms import normalised

LIST = Path(abuse_pipeline.privacy.__file__).with_name("phrases.txt")
HEAD = "# The fixed text of our notices and replies, one phrase a line; see tests/notices/test_common_phrases.py."


def phrases() -> list[str]:
    texts = {*constant_text(), *words.all_words(), *notice.all_subjects(), *replies.all_subjects(), *envelope.FIXED}
    return sorted(text for text in texts if sum(c.isalpha() for c in text) >= 2)


def test_the_list_is_the_fixed_text_of_the_templates() -> None:
    lines = LIST.read_text("utf-8").splitlines()

    assert lines == [HEAD, *phrases()], "run this file as a program to rewrite the list"


def test_phrases_are_distinct_after_folding_and_none_names_an_address() -> None:
    folded = [normalised(text) for text in phrases()]

    assert "@" not in "".join(folded).replace("meiwaku@dekyo.or.jp", "")


if __name__ == "__main__":
    LIST.write_text("\n".join([HEAD, *phrases()]) + "\n", "utf-8")
