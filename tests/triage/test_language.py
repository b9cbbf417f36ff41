"""The language of the reply follows the reporter."""

import pytest

from abuse_pipeline.triage import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("迷惑メールが届きました。", "ja"),
        ("ｽﾊﾟﾑです", "ja"),
        ("Spam from your network, see attached.", "en"),
        ("Fw: 【重要】お知らせ\nplease stop this spam", "ja"),
        ("垃圾邮件", "other"),
        ("스팸 메일 신고", "other"),
        ("Спам из вашей сети", "other"),
        ("Bonjour, voici un pourriel", "en"),
        ("12345 !!", None),
        ("", None),
    ],
)
def test_language(text: str, language: str | None) -> None:
    assert detect_language(text) == language
