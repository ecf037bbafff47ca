"""`vggnet evaluate` under the paper's protocols: keys, saved scores, resumed jobs, mistakes."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from full_disk import full_disk
from small_data import write_pictures
from small_scores import write_weights

from vggnet.cli import protocols
from vggnet.cli.durations import in_words
from vggnet.cli.evaluate import evaluate
from vggnet.cli.model_options import ModelChoice, ReadAs
from vggnet.evaluation import scores_file, scoring
from vggnet.evaluation.protocols import NAMES
from vggnet.evaluation.published_results import Conditions, Expected
from vggnet.evaluation.scores_file import ScoresWriter, read_scores

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def net(tmp_path: Path) -> str:
    return write_weights(tmp_path / "net.safetensors")


def evaluated(capsys: Capture, *arguments: str) -> dict:
    status, out, err = run(capsys, "evaluate", *arguments, "--engine", "numpy", "--format", "json")
    assert status == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def test_json_has_the_keys_that_others_rely_on(pictures: Path, net: str, capsys: Capture) -> None:
    found = evaluated(capsys, str(pictures), "--weights", net, "--protocol", "both")
    assert {key: found[key] for key in ("images", "protocol", "scales", "flip", "broken")} == {
        "images": 60, "protocol": "both", "scales": [18, 20, 22], "flip": True, "broken": 0
    }  # fmt: skip
    for name in ("top1", "top5"):
        low, high = found["intervals"][name]
        assert 0 <= low <= found[name] <= high <= 1
    assert found["images_per_second"] > 0
    assert found["training_scale"] == [
        "S 20, from the resize of the weight file, which states no S"
    ]


def test_people_get_the_familiar_line_and_the_interval(
    pictures: Path, net: str, capsys: Capture
) -> None:
    chosen = ("--weights", net, "--protocol", "single", "--scales", "24", "--limit", "30")
    status, out, err = run(capsys, "evaluate", str(pictures), *chosen)
    first, second = out.splitlines()
    assert status == 0
    assert re.fullmatch(r" \* Acc@1 \d+\.\d{3} Acc@5 100\.000", first)
    assert re.fullmatch(r"   95% of samples of 30 pictures: Acc@1 [\d.]+ to [\d.]+, .*", second)
    assert err.splitlines()[1] == (
        f"vggnet: {net}: single; Q 24; mirrored too; the logits of positions averaged"
    )


def test_the_centre_crop_is_the_same_either_way(pictures: Path, net: str, capsys: Capture) -> None:
    plain = evaluated(capsys, str(pictures), "--weights", net)
    found = evaluated(capsys, str(pictures), "--weights", net, "--protocol", "centre")
    assert (found["top1"], found["top5"]) == (plain["top1"], plain["top5"])
    assert plain["protocol"] == found["protocol"] == "centre crop"
    assert "intervals" not in plain


def test_options_reach_the_protocol(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture
) -> None:
    chosen = ("--protocol", "dense", "--no-flip", "--score-average", "softmax")
    saved = tmp_path / "scores.parquet"
    scale = ("--train-scale", "20-28", "--save", str(saved))
    found = evaluated(capsys, str(pictures), "--weights", net, *chosen, *scale)
    assert found["scales"] == [20, 24, 28]
    record = read_scores(saved).record
    assert record["nets"][0]["protocol"] == {
        "name": "dense", "crops": "dense", "scales": [20, 24, 28], "flip": False,
        "score_average": "softmax",
    }  # fmt: skip
    assert record["nets"][0]["training_scale"] == "S [20; 28], from --train-scale"
    assert record["command"].startswith("vggnet")
    assert len(record["nets"][0]["sha256"]) == 64
    assert record["data"]["pictures"] == 60


def test_several_nets_are_fused(pictures: Path, net: str, tmp_path: Path, capsys: Capture) -> None:
    other = write_weights(tmp_path / "other.safetensors", 3, ("red", "green", "blue"))
    scores = {}
    for name, nets in {"one": (net,), "other": (other,), "fused": (net, other)}.items():
        path = tmp_path / f"{name}.parquet"
        chosen = [part for each in nets for part in ("--weights", each)]
        found = evaluated(
            capsys, str(pictures), *chosen, "--protocol", "single", "--save", str(path)
        )
        scores[name] = read_scores(path).scores_NK
    assert found["weights"] == [net, other]
    assert found["scales"] == [[20], [20]]
    mean = (scores["one"] + scores["other"][:, ::-1]) / 2
    np.testing.assert_allclose(scores["fused"], mean, rtol=1e-5)
    status, out, _ = run(capsys, "evaluate", str(pictures), "--weights", net, "--weights", other)
    assert status == 0
    assert len(out.splitlines()) == 2


def test_a_smaller_limit_takes_some_of_a_larger_ones(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture
) -> None:
    found = []
    for limit in ("10", "25"):
        path = tmp_path / f"{limit}.parquet"
        chosen = ("--weights", net, "--limit", limit, "--save", str(path))
        evaluated(capsys, str(pictures), *chosen)
        found.append(set(read_scores(path).index.tolist()))
    assert (len(found[0]), len(found[1])) == (10, 25)
    assert found[0] < found[1]
    assert {index // 20 for index in found[0]} == {0, 1, 2}  # of every class


def save(net: str, pictures: Path, path: Path, *more: str) -> tuple[str, ...]:
    return ("evaluate", str(pictures), "--weights", net, "--engine", "numpy", "--protocol",
            "multi-scale", "--batch-size", "4", "--save", str(path), *more)  # fmt: skip


def test_a_killed_job_that_is_resumed_ends_with_the_same_bytes(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores_file, "PART_SECONDS", 0)
    monkeypatch.setattr(sys, "argv", ["vggnet", "evaluate"])
    assert run(capsys, *save(net, pictures, tmp_path / "whole.parquet"))[0] == 0
    path = tmp_path / "killed.parquet"
    child = os.fork()
    if not child:
        written, write_part = 0, ScoresWriter._write_part

        def deadly(writer: ScoresWriter) -> None:
            nonlocal written
            write_part(writer)
            written += 1
            if written == 7:
                os.kill(os.getpid(), signal.SIGKILL)

        ScoresWriter._write_part = deadly  # type: ignore[method-assign]
        try:
            run(capsys, *save(net, pictures, path))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert not path.exists()
    refused = run(capsys, *save(net, pictures, path))
    assert (refused[0], "give --resume to go on with it" in refused[2]) == (2, True)
    status, out, err = run(capsys, *save(net, pictures, path, "--resume"))
    assert status == 0
    assert "goes on after 14 pictures" in err
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    again = run(capsys, *save(net, pictures, path, "--resume"))
    assert again[:2] == (0, out)
    assert "complete already, so nothing is computed" in again[2]
    other = run(capsys, *save(net, pictures, path, "--resume", "--no-flip"))
    assert other[0] == 2
    assert "nets 0 protocol flip True there and False here" in other[2].splitlines()[-1]
    other = run(capsys, *save(net, pictures, path, "--no-flip"))
    assert (other[0], "delete it, or --save to another file" in other[2]) == (2, True)
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_job_that_is_resumed_from_nothing_says_so(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "scores.parquet"
    status, _, err = run(capsys, *save(net, pictures, path, "--resume"))
    assert status == 0
    assert f"{path}: no scores to go on with are there; begins with the first picture" in err


def test_what_is_refused_before_the_first_picture_is_not_in_the_way_of_the_next(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "scores.parquet"
    status, _, err = run(capsys, *save(net, pictures, path, "--scales", "3"))
    assert status == 2
    assert re.search(r"give larger --scales, such as \d+$", err.splitlines()[-1])
    assert not ScoresWriter.parts_of(path).exists()
    assert run(capsys, *save(net, pictures, path))[0] == 0


def test_ctrl_c_says_how_to_go_on(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = scoring._scored

    def interrupted(nets, chunk, batch_size):  # type: ignore[no-untyped-def]
        if chunk[0][0] >= 30:
            raise KeyboardInterrupt
        return scored(nets, chunk, batch_size)

    monkeypatch.setattr(scoring, "_scored", interrupted)
    path = tmp_path / "scores.parquet"
    status, out, err = run(capsys, *save(net, pictures, path))
    assert (status, out) == (130, "")
    assert err.endswith(
        "vggnet: stopped after 30 pictures; the same command with --resume goes on\n"
    )
    monkeypatch.undo()
    _, _, err = run(capsys, *save(net, pictures, path, "--resume"))
    assert "goes on after 30 pictures" in err


def test_a_broken_picture_is_named_and_kept(net: str, tmp_path: Path, capsys: Capture) -> None:
    folder = write_pictures(tmp_path / "data", num_each=4)
    (folder / "green" / "002.png").write_bytes(b"nonsense")
    path = tmp_path / "scores.parquet"
    status, out, err = run(capsys, *save(net, folder, path, "--format", "json"))
    assert (status, json.loads(out)["images"], json.loads(out)["broken"]) == (0, 11, 1)
    assert err.splitlines()[-1].startswith(f"vggnet: left out: {folder}/green/002.png: not a JPEG")
    assert read_scores(path).faults[6].startswith(f"{folder}/green/002.png: not a JPEG")
    assert run(capsys, *save(net, folder, path, "--resume", "--strict"))[0] == 1
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    status, out, err = run(capsys, *save(net, folder, tmp_path / "none.parquet"))
    assert (status, out) == (2, "")
    assert "no picture could be read; the first fault: " in err.splitlines()[-1]


def test_a_full_disk_is_one_line_and_nothing_is_lost(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "scores.parquet"
    with full_disk():
        status, out, err = run(capsys, *save(net, pictures, path))
    assert (status, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith(f"vggnet: {path}.parts/")
    assert last.endswith("make room, or write to another disk")
    assert run(capsys, *save(net, pictures, path, "--resume"))[0] == 0


def test_a_closed_pipe_loses_no_score(pictures: Path, net: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    command = [sys.executable, "-m", "vggnet", *save(net, pictures, path)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
    assert len(read_scores(path).picture) == 60


def test_it_says_beforehand_how_long_it_will_take(
    pictures: Path, net: str, tmp_path: Path, capsys: Capture
) -> None:
    _, _, err = run(capsys, *save(net, pictures, tmp_path / "a.parquet"))
    (told,) = re.findall(r"vggnet: the other 56 pictures will take about \d+ (?:s|min)\n", err)
    assert told
    _, _, err = run(capsys, *save(net, pictures, tmp_path / "b.parquet", "--limit", "4"))
    assert "will take about" not in err
    assert [in_words(seconds) for seconds in (0.2, 42, 700, 12_060)] == [
        "1 s", "42 s", "12 min", "3 h 21 min"
    ]  # fmt: skip


def test_what_was_published_is_compared(
    pictures: Path, net: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("evaluate", str(pictures), "--weights", net, "--protocol", "single", "--expect",
             "published")  # fmt: skip
    status, _, err = run(capsys, *asked)
    assert status == 2
    assert "none of the files whose accuracy was published" in err.splitlines()[-1]
    monkeypatch.setattr(protocols, "_known_as", lambda choice: "vgg16")
    status, _, err = run(capsys, *asked)
    assert status == 2
    assert err.splitlines()[-1].endswith("classes of ImageNet; these data have 3")
    told: list[object] = []

    def known(names, protocol, tested, scale):  # type: ignore[no-untyped-def]
        told.extend([names, protocol.name, tested, scale.low])
        return Expected(*accuracies, "a test", 0)

    monkeypatch.setattr("vggnet.evaluation.published_results.expected", known)
    monkeypatch.setattr(protocols, "_known_as", lambda choice: "vgg16@oxford")
    accuracies = (0.3, 1.0)
    status, out, _ = run(capsys, *asked, "--format", "json")
    found = json.loads(out)
    low, high = found["intervals"]["top1"]
    same = low <= 0.3 <= high
    assert found["published"] == {
        "top1": 0.3, "top5": 1.0, "source": "a test", "equal": {"top1": same, "top5": True}
    }  # fmt: skip
    assert told == [["vgg16@oxford"], "single", Conditions(16, 3, None), 20]
    accuracies = (found["top1"], 0.9)
    status, out, _ = run(capsys, *asked)
    assert status == 1
    lines = out.splitlines()
    assert lines[2].endswith("published (a test): equal within the interval")
    assert lines[3].endswith("90.000 published (a test): NOT equal: outside the interval")
    accuracies = (found["top1"], 1.0)
    assert run(capsys, *asked)[0] == 0


def test_weights_are_known_by_name_and_a_file_by_its_bytes(
    net: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choice(weights: str) -> ModelChoice:
        nothing = ReadAs(*[None] * 8)
        return ModelChoice(weights, nothing, "auto", "fp32", None, None)

    assert protocols._known_as(choice("vgg16@oxford")) == "vgg16@oxford"
    assert protocols._known_as(choice(net)) == net
    known = {"published": "vgg16@torchvision", "sha256": ""}
    monkeypatch.setattr("vggnet.cli.weights_files.bytes_of", lambda path: known)
    assert protocols._known_as(choice(net)) == "vgg16@torchvision"


def test_the_choices_are_the_protocols_there_are() -> None:
    (option,) = (each for each in evaluate.params if each.name == "protocol")
    assert list(option.type.choices) == list(NAMES)  # type: ignore[attr-defined]


MISTAKES = {
    "no such protocol": (["--protocol", "ten-crop"], "'ten-crop' is not one of"),
    "scales are words": (["--scales", "big"], "'big' is not a whole number"),
    "a scale of zero": (["--scales", "20,0"], "'0' is too small"),
    "the same scale twice": (["--scales", "20,20"], "give different whole numbers"),
    "a scale below the crop": (["--scales", "12"], "scale 12 is less than 16"),
    "no such training scale": (["--train-scale", "512-256"], "the lower one first"),
    "no map to average": (
        ["--protocol", "multicrop", "--score-average", "softmax"], "which protocol multicrop has"
    ),
    "nothing to resume": (["--resume"], "--resume goes on with a file of scores: give --save"),
    "no folder to save in": (["--save", "/nowhere/scores.parquet"], "No such file or directory"),
    "nothing published": (["--expect", "published"], "none of the files whose accuracy"),
    "weights without a file": (["--weights", "nowhere.safetensors"], "no such file"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake: str, pictures: Path, net: str, capsys: Capture) -> None:
    arguments, says = MISTAKES[mistake]
    status, out, err = run(capsys, "evaluate", str(pictures), "--weights", net, *arguments)
    assert (status, out) == (2, "")
    assert says in err.splitlines()[-1]
    assert "Traceback" not in err
