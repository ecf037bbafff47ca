"""`vggnet report`: what it prints and writes, of one file of scores and of several."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from full_disk import full_disk
from PIL import Image
from small_data import write_pictures
from small_scores import write_weights

from vggnet.evaluation import figures
from vggnet.evaluation.scores_file import read_scores

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data/, net.safetensors, and the scores of two protocols, one picture of which is broken."""
    made = tmp_path_factory.mktemp("scored")
    write_pictures(made / "data", num_each=8)
    (made / "data" / "green" / "003.png").write_bytes(b"nonsense")
    write_weights(made / "net.safetensors")
    return made


@pytest.fixture
def scores(folder: Path, capsys: Capture) -> dict[str, str]:
    found = {}
    for protocol in ("dense", "multicrop", "both"):
        path = folder / f"{protocol}.parquet"
        found[protocol] = str(path)
        if not path.exists():
            chosen = ("--weights", str(folder / "net.safetensors"), "--protocol", protocol)
            saved = ("--engine", "numpy", "--save", str(path))
            assert run(capsys, "evaluate", str(folder / "data"), *chosen, *saved)[0] == 0
    return found


def test_the_lines_for_people(scores: dict[str, str], capsys: Capture) -> None:
    status, out, err = run(capsys, "report", scores["dense"])
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].startswith(" * Acc@1 ")
    assert lines[1].startswith("   95% of samples of 23 pictures: ")
    assert "expected calibration error" in lines[2]
    assert lines[3] == "   the hardest classes:"
    assert [line.split()[0] for line in lines[4:]] != []
    accuracies = [float(line.split()[1].rstrip("%")) for line in lines[4:]]
    assert accuracies == sorted(accuracies)


def test_a_class_of_one_picture(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    one = tmp_path / "data" / "green"
    one.mkdir(parents=True)
    (one / "000.png").write_bytes((folder / "data" / "green" / "000.png").read_bytes())
    saved = str(tmp_path / "one.parquet")
    evaluate = ("evaluate", str(tmp_path / "data"), "--weights", str(folder / "net.safetensors"))
    assert run(capsys, *evaluate, "--engine", "numpy", "--save", saved)[0] == 0
    _, out, _ = run(capsys, "report", saved)
    (line,) = [line for line in out.splitlines() if line.startswith("   green")]
    assert "% of 1 picture" in line
    assert "pictures" not in line


def test_json_and_the_files_of_a_folder(
    scores: dict[str, str], tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "new" / "report"
    status, text, err = run(
        capsys, "report", scores["dense"], "--out", str(out), "--format", "json"
    )
    assert status == 0
    found = json.loads(text)
    assert json.loads((out / "report.json").read_text()) == found
    assert (found["images"], found["broken"]) == (23, 1)
    assert found["scores"][0]["nets"][0]["protocol"]["name"] == "dense"
    names = "report.json, classes.csv, confusion.csv, confusion.png, reliability.png, mistakes.png"
    assert err == f"vggnet: written to {out}: {names}\n"
    assert {each.name for each in out.iterdir()} == set(names.split(", "))
    header, *rows = list(csv.reader((out / "confusion.csv").read_text().splitlines()))
    assert header == ["class", "blue", "green", "red"]
    counts = np.array([[int(each) for each in row[1:]] for row in rows])
    assert counts.sum(axis=1).tolist() == [8, 7, 8]
    assert counts.trace() / 23 == pytest.approx(found["top1"])
    classes = list(csv.DictReader((out / "classes.csv").read_text().splitlines()))
    assert [row["class"] for row in classes] == ["blue", "green", "red"]
    assert float(classes[0]["top1"]) == pytest.approx(counts[0, 0] / 8)
    for name in ("confusion.png", "reliability.png", "mistakes.png"):
        with Image.open(out / name) as picture:
            picture.load()
            assert np.asarray(picture.convert("L")).std() > 10  # something is drawn


def test_several_files_are_averaged(scores: dict[str, str], capsys: Capture) -> None:
    found = {}
    for name, files in {"both": ["both"], "fused": ["dense", "multicrop"]}.items():
        paths = [scores[each] for each in files]
        found[name] = json.loads(run(capsys, "report", *paths, "--format", "json")[1])
    assert found["fused"]["top1"] == found["both"]["top1"]
    assert found["fused"]["calibration"]["error"] == pytest.approx(
        found["both"]["calibration"]["error"], abs=1e-5
    )
    assert [each["nets"][0]["protocol"]["name"] for each in found["fused"]["scores"]] == [
        "dense", "multicrop"
    ]  # fmt: skip
    paths = [scores["dense"], scores["multicrop"]]
    status, out, _ = run(capsys, "report", *paths, "--score-average", "logits", "--format", "json")
    assert status == 0
    assert json.loads(out)["calibration"]["error"] != found["fused"]["calibration"]["error"]


def test_of_one_file_nothing_is_averaged(scores: dict[str, str], capsys: Capture) -> None:
    status, _, err = run(capsys, "report", scores["dense"], "--score-average", "logits")
    assert status == 0
    assert (
        err == "vggnet: --score-average has no effect on one file, of which nothing is averaged\n"
    )


def test_pictures_that_moved_are_found_by_data(
    scores: dict[str, str], folder: Path, tmp_path: Path, capsys: Capture
) -> None:
    moved = tmp_path / "data"
    (folder / "data").rename(moved)
    try:
        _, _, err = run(capsys, "report", scores["dense"], "--out", str(tmp_path / "a"))
        assert f"no mistakes.png: {folder}/data: there is no such folder" in err
        assert "give --data where the pictures lie" in err
        assert not (tmp_path / "a" / "mistakes.png").exists()
        chosen = ("--out", str(tmp_path / "a"), "--data", str(moved))
        run(capsys, "report", scores["dense"], *chosen)
        assert (tmp_path / "a" / "mistakes.png").exists()
        (moved / "blue" / "001.png").unlink()
        _, _, err = run(capsys, "report", scores["dense"], *chosen)
        assert "not the pictures that were tested: pictures 24 there and 23 here" in err
        Image.new("RGB", (40, 40), "blue").save(moved / "blue" / "001.png")
    finally:
        moved.rename(folder / "data")


def test_without_matplotlib_the_rest_is_written(
    scores: dict[str, str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "can_draw", lambda: False)
    status, _, err = run(capsys, "report", scores["dense"], "--out", str(tmp_path / "a"))
    assert status == 0
    assert "drawing needs matplotlib: pip install 'vggnet[train]'" in err
    assert {each.suffix for each in (tmp_path / "a").iterdir()} == {".json", ".csv"}


def test_mistakes_are_one_line(scores: dict[str, str], tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("")
    cases = {
        ("nowhere.parquet",): "nowhere.parquet: no such file",
        (__file__,): "test_report.py: ",
        (scores["dense"], "--out", str(tmp_path / "file")): f"{tmp_path / 'file'}: File exists",
    }
    for arguments, says in cases.items():
        status, out, err = run(capsys, "report", *arguments)
        assert (status, out) == (2, "")
        assert says in err
        assert len(err.splitlines()) == 1
    with full_disk():
        status, out, err = run(capsys, "report", scores["dense"], "--out", str(tmp_path / "full"))
    assert status == 2
    assert err.endswith("make room, or write to another disk\n")
    assert len(read_scores(scores["dense"]).faults) == 1
