"""`vggnet weights list` and `vggnet weights fetch` on the command line."""

import hashlib
import json
from pathlib import Path

import pytest
from cache_folders import BODY, move_caches, small_file
from unreliable_server import Answer, UnreliableServer

from vggnet.cli import main
from vggnet.weights.published.caches import own_path
from vggnet.weights.published.catalog import CATALOG


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_caches(tmp_path, monkeypatch)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["weights", *arguments])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def publish(server: UnreliableServer, monkeypatch: pytest.MonkeyPatch) -> None:
    file = small_file(url=f"{server.address}/small.npz")
    monkeypatch.setitem(CATALOG, file.name, file)


def test_list_has_a_row_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "list")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].split() == [
        "name", "configuration", "size", "licence", "Acc@1", "Acc@5", "here",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[2:]] == ["tiny-imagenet", *CATALOG]
    assert lines[2].endswith("the package")
    row = next(line for line in lines if line.startswith("vgg16@torchvision"))
    assert row.split() == [
        "vgg16@torchvision", "vgg16", "553", "MB", "BSD-3-Clause", "71.592", "90.382", "not", "here"
    ]  # fmt: skip
    assert "about 553 MB" in next(line for line in lines if line.startswith("vgg16 "))
    assert "vgg19, no head" in next(line for line in lines if line.startswith("vgg19@keras-notop"))


def test_list_says_what_is_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = small_file(convention="keras")
    monkeypatch.setitem(CATALOG, file.name, file)
    good = tmp_path / ".keras/models/small.npz"
    bad = own_path(file)
    for path, body in ((good, BODY), (bad, b"damaged")):
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
    _, out, _ = run(capsys, "list")
    row = next(line for line in out.splitlines() if line.startswith("vgg16@small"))
    assert row.split()[-1] == "Keras"
    fault = "it has 7 bytes, not 10,240"
    assert out.splitlines()[-2:] == [
        f"vgg16@small: {bad} is not used: {fault}",
        f"vgg16@small: {good}",
    ]
    _, out, _ = run(capsys, "list", "--format", "json")
    assert json.loads(out)[-1]["copies"] == [
        {"cache": "vggnet", "path": str(bad), "fault": fault},
        {"cache": "Keras", "path": str(good), "fault": None},
    ]


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "list", "--format", "json")
    files = {file["name"]: file for file in json.loads(out)}
    assert (status, err) == (0, "")
    assert list(files) == ["tiny-imagenet", *CATALOG]
    ours = files["tiny-imagenet"]
    assert (ours["accuracy"]["top1"], ours["bytes"]) == (
        0.664,
        Path(ours["copies"][0]["path"]).stat().st_size,
    )
    assert files["vgg11@torchvision"] == {
        "name": "vgg11@torchvision",
        "configuration": "vgg11",
        "convention": "torchvision",
        "head": True,
        "file": "vgg11-8a719046.pth",
        "bytes": None,
        "approximate_bytes": 531_453_344,
        "digest": "sha256 8a719046...",
        "licence": "BSD-3-Clause",
        "accuracy": {"top1": 0.6902, "top5": 0.88628, "source": "torchvision.models"},
        "page": "https://docs.pytorch.org/vision/stable/models/vgg.html",
        "copies": [],
    }
    assert files["vgg11"]["digest"] is None
    assert files["vgg16@oxford"]["accuracy"] is None


def test_fetch_prints_the_path_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with UnreliableServer(BODY) as server:
        publish(server, monkeypatch)
        path = own_path(CATALOG["vgg16@small"])
        assert run(capsys, "fetch", "vgg16@small") == (0, f"{path}\n", "")
        again = run(capsys, "fetch", "D@small", "vgg16@small")
    assert again == (0, f"{path}\n" * 2, "vggnet: vgg16@small: already here\n" * 2)
    assert path.read_bytes() == BODY
    assert len(server.requests) == 1


def test_a_wrong_name_is_told_before_anything_is_fetched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with UnreliableServer(BODY) as server:
        publish(server, monkeypatch)
        status, out, err = run(capsys, "fetch", "vgg16@small", "vgg17")
    assert (status, out, server.requests) == (2, "", [])
    assert err.startswith("vggnet: 'vgg17': no published weights of this name; did you mean vgg1")
    assert len(err.splitlines()) == 1


def test_a_wrong_file_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with UnreliableServer(BODY, [Answer(altered=0)]) as server:
        publish(server, monkeypatch)
        status, out, err = run(capsys, "fetch", "vgg16@small")
    assert (status, out) == (2, "")
    assert err.startswith("vggnet: vgg16@small: what http://127.0.0.1:")
    assert f"expected sha256 {hashlib.sha256(BODY).hexdigest()}, found sha256 " in err
    assert len(err.splitlines()) == 1
