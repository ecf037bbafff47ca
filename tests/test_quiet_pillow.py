"""Pillow's own messages, held back and given back."""

import io
import threading
import warnings
from pathlib import Path

import pytest
from bad_pictures import BAD_PICTURES, encoded
from PIL import Image

from vggnet.image import PictureError, open_picture
from vggnet.quiet_pillow import quiet_pillow


def test_pictures_that_pillow_only_warns_of_open_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)  # from there on a warning, here an error
    data = encoded("PNG")
    before = warnings.filters[:]
    faults = []

    def open_often() -> None:
        try:
            for _ in range(20):
                open_picture(data)
        except PictureError as error:
            faults.append(error)

    threads = [threading.Thread(target=open_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert warnings.filters == before
    with pytest.raises(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(data))


def test_other_warnings_pass() -> None:
    with quiet_pillow, pytest.warns(UserWarning, match="ours"):
        warnings.warn("ours", UserWarning, stacklevel=1)


def test_libtiff_prints_only_outside(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damaged = BAD_PICTURES["an LZW TIFF with damaged rows"](tmp_path)
    with quiet_pillow, quiet_pillow, pytest.raises(OSError, match="decoder error"):
        Image.open(damaged).load()
    assert capfd.readouterr().err == ""
    with pytest.raises(OSError, match="decoder error"):
        Image.open(damaged).load()
    assert "LZW" in capfd.readouterr().err  # so that the test above can fail
