"""What cannot be used as a picture: one line that names it, soon, and no program is started."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import BAD_PICTURES, encoded
from PIL import ImageFile

from vggnet.image import FORMATS, PictureError, open_picture, picture_name


@pytest.fixture
def in_seconds() -> Iterator[None]:
    """Ends a test that hangs, with an exception that no `except Exception` catches."""

    def give_up(*_: object) -> None:
        pytest.fail("took more than two minutes")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_a_bad_picture_is_one_line(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], in_seconds: None
) -> None:
    path = BAD_PICTURES[kind](tmp_path)
    sources = [path, str(path)]
    if os.path.isfile(path):  # noqa: PTH113 (pathlib raises for some of these names)
        sources += [path.read_bytes(), io.BytesIO(path.read_bytes())]
    for source in sources:
        with pytest.raises(PictureError) as error:
            open_picture(source, None if source in sources[:2] else str(path))
        message = str(error.value)
        assert message.startswith(f"{picture_name(path)}: ")
        assert message.isprintable()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("an empty file", "an empty file"),
        ("a folder named .jpg", "a folder, not a picture"),
        ("a pipe that nobody writes to", "a pipe, a socket or a device, not a regular file"),
        ("a missing file", "cannot be read: No such file or directory"),
        ("a web page named .jpg", "not a JPEG, PNG, WebP, BMP, GIF"),
        ("a PNG of 100000 x 100000", "over 120,000,000 pixels; make it smaller"),
        ("a PNG of 11000 x 11000", "11000 x 11000 is over 120,000,000 pixels; make it smaller"),
        ("a JPEG cut after a third", "cannot be read: image file is truncated"),
    ],
)
def test_the_reason_is_said(kind: str, reason: str, tmp_path: Path, in_seconds: None) -> None:
    path = BAD_PICTURES[kind](tmp_path)
    with pytest.raises(PictureError, match=re.escape(f"{path}: {reason}")):
        open_picture(path)


def test_there_are_enough_kinds_and_their_sound_forms_open() -> None:
    assert len(BAD_PICTURES) >= 27
    for container in FORMATS:
        assert open_picture(encoded(container)).size == (64, 48)


def test_pillow_is_not_told_to_accept_truncated_files() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


_NO_PROGRAM = """
import sys
from vggnet.image import PictureError, open_picture

started = []
sys.addaudithook(
    lambda event, _: started.append(event)
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork") else None
)
for path in sys.argv[1:]:
    try:
        open_picture(path)
    except PictureError:
        continue
    raise SystemExit(f"{path} was opened")
assert not started, started
loaded = {name for name in sys.modules if name.startswith("PIL.") and name.endswith("Plugin")}
assert "PIL.EpsImagePlugin" not in loaded, loaded

# And all this can fail: Pillow left to itself looks for a program that draws EPS.
from PIL import EpsImagePlugin, Image
EpsImagePlugin.gs_binary = None
try:
    Image.open(next(path for path in sys.argv if path.endswith(".eps"))).load()
except Exception:  # the program is a false one
    pass
assert started
"""


def test_no_picture_starts_a_program(tmp_path: Path) -> None:
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text("#!/bin/sh\nexit 1\n")
    ghostscript.chmod(0o755)
    paths = []
    for number, write in enumerate(BAD_PICTURES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths.append(write(folder))
    done = subprocess.run(
        [sys.executable, "-c", _NO_PROGRAM, *paths],
        env={"PATH": str(ghostscript.parent)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("container", FORMATS)
def test_random_damage_gives_a_picture_or_one_line(
    container: str, capfd: pytest.CaptureFixture[str], in_seconds: None
) -> None:
    random = np.random.default_rng(11)
    sound = encoded(container)
    faults = []
    for _ in range(150):
        data = bytearray(sound[: random.integers(1, len(sound) + 1)])
        for _ in range(random.integers(1, 20)):
            data[random.integers(len(data))] = random.integers(256)
        try:
            assert open_picture(bytes(data)).mode == "RGB"
        except PictureError as error:
            faults.append(str(error))
    assert len(faults) > 50
    assert all(fault.startswith("<bytes>: ") and fault.isprintable() for fault in faults)
    assert capfd.readouterr() == ("", "")
