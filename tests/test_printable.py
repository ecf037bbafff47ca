from vggnet.printable import printable


def test_what_prints_stays() -> None:
    for text in ("", "conv1_1.weight", "naïve 中文", "a" * 300):
        assert printable(text) == text


def test_what_would_not_print_is_escaped() -> None:
    assert printable("a\nb\r\x1b[31m\u2028\ud800") == r"a\nb\r\x1b[31m\u2028\ud800"


def test_text_without_end_is_cut() -> None:
    assert printable("a" * 301) == "a" * 300 + "..."
    assert printable("abcdef", longest=3) == "abc..."
    assert len(printable("\U000e0001" * 10**6)) < 4000
