"""The mistakes of scripts/mutations.txt can be made: what they change is there, once."""

from collections.abc import Iterator

from places import ROOT


def mutations() -> Iterator[tuple[str, str, str]]:
    """(file, its tests, a line of it) as scripts/mutate_python reads them."""
    file = tests = ""
    for line in (ROOT / "scripts" / "mutations.txt").read_text().splitlines():
        if line.startswith("- "):
            yield file, tests, line[2:]
        elif line and not line.startswith(("#", "+ ")):
            file, tests = line.split(": ")


def test_each_is_of_a_line_that_is_there_once() -> None:
    found = list(mutations())
    assert len(found) > 100
    for file, _, before in found:
        text = (ROOT / "src" / "vggnet" / file).read_text()
        assert text.count(before) == 1, f"{file} holds {text.count(before)} times: {before}"


def test_the_tests_that_must_see_it_are_there() -> None:
    for file, tests, _ in mutations():
        named = [each.partition("::")[0] for each in tests.split() if each.startswith("tests/")]
        assert named, file
        for each in named:
            assert (ROOT / each).exists(), f"{file}: {each}"
