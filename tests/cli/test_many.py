"""Many pictures: written as they come, broken ones among them, from standard input, bounded."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest
from command_line import run
from PIL import Image
from places import EXAMPLES

from vggnet.cli import array_file

CAT = str(EXAMPLES / "cat.jpg")


def folder_of(tmp_path: Path, number: int) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(number):
        Image.new("RGB", (70, 80), (index % 256, 90, 30)).save(folder / f"{index}.png")
    return folder


def test_json_lines_have_an_entry_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(
        capsys, "predict", CAT, "nowhere.jpg", str(folder_of(tmp_path, 11)), "--format", "jsonl"
    )
    entries = [json.loads(line) for line in out.splitlines()]
    assert (status, len(entries)) == (1, 13)
    assert [Path(each["image"]).name for each in entries[2:]] == [f"{n}.png" for n in range(11)]
    assert entries[1] == {
        "image": "nowhere.jpg", "error": "nowhere.jpg: cannot be read: No such file or directory"
    }  # fmt: skip
    assert set(entries[0]) == {"image", "engine", "precision", "weights", "predictions"}
    assert err.splitlines() == [
        f"vggnet: {entries[1]['error']}", "vggnet: 1 of 13 pictures failed"
    ]  # fmt: skip


def test_csv_has_a_row_a_class(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "predict", CAT, __file__, "--format", "csv", "--top", "2")
    first, second, failed = csv.DictReader(io.StringIO(out))
    assert status == 1
    assert (first["image"], first["rank"], first["label"]) == (CAT, "1", "tabby")
    assert (second["rank"], second["wnid"], second["index"]) == ("2", "n02124075", "32")
    assert float(first["probability"]) > float(second["probability"]) > 0.2
    assert failed["image"] == __file__
    assert failed["error"].startswith(f"{__file__}: not a JPEG")
    assert (failed["rank"], failed["label"], first["error"]) == ("", "", "")


@pytest.mark.parametrize("format", ["table", "jsonl", "csv"])
def test_answers_come_before_all_pictures_are_there(tmp_path: Path, format: str) -> None:
    """The second picture waits for a byte; by then the answer for the first is in the pipe."""
    folder = folder_of(tmp_path, 2)
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys, vggnet.cli.pictures as pictures\n"
        "from vggnet.cli import main\n"
        "batches, pictures._BATCH_SIZE = pictures.batches, 1\n"
        "def waiting(*arguments):\n"
        "    for number, batch in enumerate(batches(*arguments)):\n"
        "        if number:\n"
        "            print('waiting', file=sys.stderr, flush=True)\n"
        "            sys.stdin.read(1)\n"
        "        yield batch\n"
        "pictures.batches = waiting\n"
        "main(sys.argv[1:])\n"
    )
    command = [sys.executable, str(slow), "predict", str(folder), "--format", format]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, **pipes, env=buffered) as process:  # type: ignore[call-overload]
        assert process.stderr.readline() == b"waiting\n"
        os.set_blocking(process.stdout.fileno(), False)
        first = os.read(process.stdout.fileno(), 1 << 16)  # raises where nothing is there
        os.set_blocking(process.stdout.fileno(), True)
        rest, _ = process.communicate(b".")
    assert b"0.png" in first
    assert b"1.png" not in first
    assert b"1.png" in rest
    assert process.returncode == 0


@pytest.mark.parametrize("command", [["predict"], ["features", "--layer", "fc6"]], ids=" ".join)
def test_exit_status(
    command: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for pictures, expected in (
        ([CAT], 0), ([CAT, __file__], 1), ([__file__], 2), ([__file__, "nowhere.jpg"], 2)
    ):  # fmt: skip
        status, _, err = run(capsys, *command, *pictures)
        assert status == expected
        failed = len([each for each in pictures if each != CAT])
        count = [f"vggnet: {failed} of {len(pictures)} pictures failed"]
        assert err.splitlines()[failed:] == (count if failed and len(pictures) > 1 else [])


def test_a_picture_on_standard_input() -> None:
    command = [sys.executable, "-m", "vggnet", "predict", "-", "--format", "json"]
    done = subprocess.run(command, input=Path(CAT).read_bytes(), capture_output=True)
    (answer,) = json.loads(done.stdout)
    assert (answer["image"], answer["predictions"][0]["label"]) == ("-", "tabby")
    done = subprocess.run(command, input=b"no picture", capture_output=True)
    assert (done.returncode, done.stderr[:24]) == (2, b"vggnet: -: not a JPEG, P")


def test_what_is_passed_over_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, 1)
    for name in ("a.HEIC", "b.heic", "c.svg", "notes.txt"):
        (folder / name).touch()
    status, _, err = run(capsys, "predict", str(folder))
    assert (status, err) == (
        0,
        f"vggnet: {folder}: passed over 3 pictures in formats that are not read: 2 .heic, 1 .svg\n",
    )


def on_a_terminal(*arguments: str) -> tuple[str, str]:
    """What a command writes to a file by standard output, to a terminal by standard error."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    shown = b""
    with TemporaryFile("w+") as out:
        with subprocess.Popen(
            [sys.executable, "-m", "vggnet", *arguments],
            stdout=out, stderr=theirs, env=environment,
        ) as process:  # fmt: skip
            os.close(theirs)
            with suppress(OSError):  # the end of a terminal on Linux
                while piece := os.read(ours, 1 << 16):
                    shown += piece
        os.close(ours)
        assert process.returncode == 0
        out.seek(0)
        return out.read(), shown.decode()


def test_many_pictures_show_how_far_they_are(tmp_path: Path) -> None:
    folder = str(folder_of(tmp_path, 25))
    out, shown = on_a_terminal("predict", folder, "--format", "csv", "--top", "1")
    assert len(out.splitlines()) == 26
    assert "25/25" in shown
    out, shown = on_a_terminal(
        "features", folder, "--layer", "fc6", "--out", str(tmp_path / "a.npz")
    )
    assert out.startswith("fc6  25 x 200\n")
    assert "25/25" in shown
    assert on_a_terminal("predict", CAT, "--top", "1")[1] == ""


@pytest.mark.parametrize(
    ("arguments", "printed"), [(["predict", CAT], "Egyptian cat"), (["-h"], "Usage: ")]
)
@pytest.mark.parametrize(
    ("extra", "coloured"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=str,
)
def test_colour_on_a_terminal_alone(
    arguments: list[str], printed: str, extra: dict[str, str], coloured: bool
) -> None:
    program = "import pty, sys; pty.spawn([sys.executable, '-m', 'vggnet', *sys.argv[1:]])"
    environment = {**os.environ, "NO_COLOR": "", "TERM": "xterm", **extra}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=environment
    )
    assert printed in done.stdout
    assert ("\x1b[" in done.stdout) == coloured


def features(
    capsys: pytest.CaptureFixture[str], out: Path, *arguments: str
) -> dict[str, np.ndarray]:
    assert run(capsys, "features", *arguments, "--out", str(out))[0] == 0
    with np.load(out) as arrays:
        return dict(arrays)


def test_pooling_and_types(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = (str(EXAMPLES), "--layer", "relu5_3", "--layer", "fc6")
    whole = features(capsys, tmp_path / "none.npz", *asked)
    assert whole["relu5_3"].dtype == np.float32
    assert whole["relu5_3"].shape == (3, 352, 6, 6)
    average = features(capsys, tmp_path / "average.npz", *asked, "--pool", "average")
    np.testing.assert_allclose(
        average["relu5_3"], whole["relu5_3"].mean(axis=(2, 3)), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(average["fc6"], whole["fc6"])
    flat = features(capsys, tmp_path / "flat.npz", *asked, "--pool", "flatten", "--dtype", "fp16")
    assert flat["relu5_3"].dtype == np.float16
    np.testing.assert_array_equal(
        flat["relu5_3"], whole["relu5_3"].reshape(3, -1).astype(np.float16)
    )


def test_features_are_the_same_however_many_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (str(folder_of(tmp_path, 7)), "--layer", "relu1_1", "--input-size", "32")
    whole = features(capsys, tmp_path / "a.npz", *asked)
    monkeypatch.setattr("vggnet.streaming._BATCH_NUMBERS", 1)  # a picture at a time
    one = features(capsys, tmp_path / "b.npz", *asked)
    np.testing.assert_allclose(one["relu1_1"], whole["relu1_1"], rtol=1e-5, atol=1e-6)
    assert [Path(name).name for name in one["images"]] == [f"{n}.png" for n in range(7)]


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Of 20 pictures and of 60, whose maps take 4.2 MB each: 250 MB in all."""
    (tmp_path / "pictures").mkdir()
    for index in range(60):
        Image.new("RGB", (130, 130), (index, 9, 9)).save(tmp_path / "pictures" / f"{index}.png")
    program = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from vggnet.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', status)[1], file=sys.stderr)"
    )
    peaks = []
    for pictures in ([str(tmp_path / "pictures" / f"{n}.png") for n in range(20)],
                     [str(tmp_path / "pictures")]):  # fmt: skip
        out = tmp_path / "found.npz"
        command = [*pictures, "--layer", "relu1_1", "--layer", "conv1_1", "--input-size", "128"]
        done = subprocess.run(
            [sys.executable, "-c", program, "features", *command, "--out", str(out)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stderr.split()[-1]) / 1024)
    assert out.stat().st_size > 240e6
    assert peaks[1] < peaks[0] + 60  # MiB


def test_features_are_there_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "kept.npz"
    out.write_bytes(b"before")
    failed = run(capsys, "features", CAT, "--layer", "fc6", "--out", str(tmp_path / "no/a.npz"))
    assert failed[0] == 2
    assert failed[2].startswith(f"vggnet: {tmp_path}/no/a.npz: ")
    assert len(failed[2].splitlines()) == 1

    def full(file: array_file.ArrayFile, name: str, rows: object) -> None:
        raise OSError(28, "No space left on device", str(file.path))

    monkeypatch.setattr(array_file.ArrayFile, "add_rows", full)
    status, _, err = run(capsys, "features", CAT, "--layer", "fc6", "--out", str(out))
    assert (status, err) == (2, f"vggnet: {out}: No space left on device\n")
    assert out.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [out]


def test_numbers_too_large_for_fp16_are_refused(tmp_path: Path) -> None:
    with array_file.ArrayFile(tmp_path / "a.npz", "<f2") as file:
        file.add_rows("fc6", np.ones((2, 3), np.float32))
        with pytest.raises(ValueError, match=r"a\.npz: fc6 has numbers too large for float16"):
            file.add_rows("fc6", np.full((1, 3), 7e4, np.float32))
        with pytest.raises(ValueError, match="fc6 is 3 and 4 for these pictures: give pictures of"):
            file.add_rows("fc6", np.ones((2, 4), np.float32))
        file.add_rows("fc6", np.zeros((1, 3), np.float32))
        file.write()
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    with np.load(tmp_path / "a.npz") as arrays:
        np.testing.assert_array_equal(arrays["fc6"], [[1, 1, 1], [1, 1, 1], [0, 0, 0]])


def test_features_are_several_arrays_which_a_file_of_one_cannot_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.npy"
    line = f"vggnet: {out}: several arrays are written, which .npy cannot hold: name it .npz\n"
    assert run(capsys, "features", CAT, "--layer", "fc6", "--out", str(out)) == (2, "", line)
    assert not out.exists()
