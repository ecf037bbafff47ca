"""benchmarks/paper_protocols.py and protocol_tables.py: what they compute; the docs show it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from places import ROOT
from small_scores import write_weights

from vggnet.evaluation.intervals import accuracy_interval
from vggnet.evaluation.scores_file import read_scores

sys.path.append(str(ROOT / "benchmarks"))
import paper_protocols
import protocol_tables
import report
from protocol_tables import DOCS, PAGES, results, table, tables, with_tables

FOUND = {
    "nets": [
        {
            "name": "net", "network": "D", "input_size": 64, "head": "average",
            "training_scale": "S 80, from the resize of the weight file, which states no S",
        }
    ],
    "over": "centre",
    "data": "pictures",
    "split": "validation",
    "pictures": 1000,
    "of": 10000,
    "rows": [
        {
            "row": row,
            "scales": [71, 80],
            "top1": 0.5,
            "top5": 0.75,
            "intervals": {"top1": [0.47, 0.53], "top5": [0.7, 0.8]},
            "gain": {"top1": gain, "top5": -0.05},
            "gain_intervals": {"top1": interval, "top5": [-0.06, -0.04]},
        }
        for row, gain, interval in (("centre", 0.0, [-0.01, 0.02]), ("single", 0.02, [0.01, 0.03]))
    ],
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_the_docs_hold_the_tables_of_the_results(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert results()
    assert with_tables(text, tables(results(), PAGES[page])) == text


def test_a_table_says_what_helps() -> None:
    found = table(FOUND, PAGES["testing.md"])
    assert "### `net`: D at 64 pixels, global average and one FC layer" in found
    assert "1,000 of 10,000 validation pictures of pictures; S 80, from the resize" in found
    first, second = found.splitlines()[-2:]
    assert first == (
        "| centre | 71, 80 | 50.0 (47.0–53.0) | 75.0 (70.0–80.0) | +0.0 (-1.0..+2.0): no "
        "difference seen | -5.0 (-6.0..-4.0): hurts |"
    )
    assert "+2.0 (+1.0..+3.0): helps" in second
    chinese = table(FOUND, PAGES["testing.zh-CN.md"])
    assert "取自权重文件的 resize" in chinese
    assert "from the" not in chinese


def test_a_pair_is_compared_with_the_first_of_it() -> None:
    second = {**FOUND["nets"][0], "name": "other"}  # type: ignore[dict-item]
    found = table({**FOUND, "nets": [FOUND["nets"][0], second], "over": "net"}, PAGES["testing.md"])  # type: ignore[index]
    assert "### the mean of `net` and `other`" in found
    assert "gains over `net` alone under the same protocol" in found


def test_a_page_without_marks_is_told() -> None:
    with pytest.raises(ValueError, match="the page has no <!-- tables -->"):
        with_tables("# A page", "a table")


def test_a_gain_is_taken_on_the_same_pictures() -> None:
    random = np.random.default_rng(3)
    base = random.random(1000) < 0.6
    better = base.copy()
    better[np.flatnonzero(~base)[:30]] = True
    better[np.flatnonzero(base)[:5]] = False
    gain, (low, high) = paper_protocols.gain_interval(better, base)
    assert gain == pytest.approx(0.025)
    differences = better.astype(float) - base
    by_hand = [differences[random.integers(0, 1000, 1000)].mean() for _ in range(4000)]
    assert (low, high) == pytest.approx(np.percentile(by_hand, (2.5, 97.5)), abs=0.003)
    # Far narrower than the accuracies' own, since most pictures are the same in both.
    own = accuracy_interval(better)
    assert high - low < 0.5 * (own[1] - own[0])
    lost, (low, high) = paper_protocols.gain_interval(base, better)
    assert (lost, low < high < 0) == (pytest.approx(-0.025), True)


def test_a_gain_may_be_of_few_pictures_all_of_which_differ() -> None:
    """36 of 39 won and 3 lost: in fractions these are more than 1 together."""
    for number in range(1, 60):
        won = np.arange(number)[:, None] < np.arange(number + 1)
        for column in won.T:
            gain, (low, high) = paper_protocols.gain_interval(column, ~column)
            assert gain == pytest.approx(2 * column.mean() - 1)
            assert low <= gain <= high


def test_every_row_of_two_nets_and_of_their_mean(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole of it, on two small nets, in this process."""
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(protocol_tables, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(protocol_tables, "DOCS", tmp_path)
    for page in PAGES:
        (tmp_path / page).write_text("# A page\n<!-- tables --><!-- end of tables -->\n")
    nets = [write_weights(tmp_path / f"{seed}.safetensors", seed) for seed in (0, 4)]
    weights = ["--weights", nets[0], "--weights", nets[1], "--name", "one", "two"]
    chosen = [*weights, "--limit", "12", "--folder", str(tmp_path / "scores")]
    monkeypatch.setattr(sys, "argv", ["protocols.py", str(pictures), *chosen])
    monkeypatch.setattr(paper_protocols, "run", evaluate_here)
    paper_protocols.main()
    computed = {path.stem for path in (tmp_path / "scores" / "one_12").glob("*.parquet")}
    each_scale = {f"{name}_{size}" for name in ("dense", "multicrop") for size in (18, 20, 22)}
    assert computed == {"centre", "mirrored", "softmax_20"} | each_scale
    names = ["one", "two", "one+two"]
    found = {
        name: json.loads((tmp_path / "results" / f"protocols_{name}.json").read_text())
        for name in names
    }
    rows = [row["row"] for row in found["one"]["rows"]]
    assert rows == list(paper_protocols.ROWS)
    for name in ("one", "two"):
        first = found[name]["rows"][0]
        assert (first["gain"], found[name]["pictures"]) == ({"top1": 0, "top5": 0}, 12)
        for row in found[name]["rows"]:
            assert row["gain"]["top1"] == pytest.approx(row["top1"] - first["top1"])
    for row, alone in zip(found["one+two"]["rows"], found["one"]["rows"], strict=True):
        assert row["gain"]["top1"] == pytest.approx(row["top1"] - alone["top1"])
    scales = {row["row"]: row["scales"] for row in found["one"]["rows"]}
    assert scales["multicrop, one scale"] == [20]
    assert scales["both"] == scales["multicrop"] == scales["multi-scale"] == [18, 20, 22]
    text = (tmp_path / "testing.md").read_text()
    assert text.index("### `one`") < text.index("### `two`") < text.index("### the mean of")
    assert found["one"]["nets"][0]["head"] == "fc"
    assert np.isfinite(found["one"]["rows"][-1]["calibration_error"])


def test_rows_of_several_scales_are_what_the_protocols_compute(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_protocols, "run", evaluate_here)
    net = write_weights(tmp_path / "net.safetensors")
    rows = paper_protocols.scores(str(pictures), net, 6, tmp_path / "scores")
    for name in ("multi-scale", "multicrop", "both"):
        path = tmp_path / f"{name}.parquet"
        evaluate_here(
            ["evaluate", str(pictures), "--weights", net, "--protocol", name, "--limit", "6",
             "--save", str(path)]
        )  # fmt: skip
        expected = read_scores(path)
        assert rows[name].scales == expected.record["nets"][0]["protocol"]["scales"]
        np.testing.assert_array_equal(rows[name].table.index, expected.index)
        np.testing.assert_allclose(rows[name].table.scores_NK, expected.scores_NK, rtol=1e-5)


def evaluate_here(command: list[str]) -> None:
    """In this process, which has all that a new one would import."""
    from vggnet.cli import main

    with pytest.raises(SystemExit) as end:
        main([*command, "--engine", "numpy"])
    assert not end.value.code


def test_names_must_fit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, says in (
        ([], "give DATA, or --docs"),
        (["data", "--weights", "a", "--name", "a", "b"], "as many names as weights"),
        (["data", "--weights", "a", "--weights", "x/a"], "all different"),
    ):
        monkeypatch.setattr(sys, "argv", ["protocols.py", *arguments])
        with pytest.raises(SystemExit):
            paper_protocols.main()
        assert says in capsys.readouterr().err
