"""Published files in the caches that other tools leave, verified before they are used."""

import hashlib
import json
import os
from pathlib import Path

import pytest
from cache_folders import BODY, hub_file, move_caches, put_in_hub_cache, small_file

from vggnet.weights.published import caches
from vggnet.weights.published.caches import Copy, cache_folder, copies, fault, own_path
from vggnet.weights.published.catalog import CATALOG, Digest

OTHER = bytes(len(BODY))  # as long, but not what was published


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_caches(tmp_path, monkeypatch)


def put(path: Path, body: bytes = BODY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The algorithm of each digest that is computed from now on."""
    seen: list[str] = []
    new = hashlib.new

    def counted(name: str, **options: bool) -> object:
        seen.append(name)
        return new(name, **options)

    monkeypatch.setattr(caches.hashlib, "new", counted)
    return seen


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, ".cache/vggnet"),
        ("linux", {"XDG_CACHE_HOME": "{home}/x"}, "x/vggnet"),
        ("linux", {"VGGNET_CACHE": "~/y", "XDG_CACHE_HOME": "{home}/x"}, "y"),
        ("darwin", {}, "Library/Caches/vggnet"),
        ("win32", {}, "AppData/Local/vggnet/Cache"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "local/vggnet/Cache"),
    ],
)
def test_our_own_folder(
    platform: str,
    variables: dict[str, str],
    folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    assert cache_folder() == tmp_path / folder


@pytest.mark.parametrize(
    ("convention", "variables", "place", "cache"),
    [
        ("frossard", {}, ".cache/vggnet/vgg16@small/small.npz", "vggnet"),
        ("torchvision", {}, ".cache/torch/hub/checkpoints/small.npz", "torch hub"),
        ("torchvision", {"XDG_CACHE_HOME": "x"}, "x/torch/hub/checkpoints/small.npz", "torch hub"),
        ("torchvision", {"TORCH_HOME": "t"}, "t/hub/checkpoints/small.npz", "torch hub"),
        ("torchvision-features", {"TORCH_HOME": "t"}, "t/hub/checkpoints/small.npz", "torch hub"),
        ("keras", {}, ".keras/models/small.npz", "Keras"),
        ("keras", {"KERAS_HOME": "k"}, "k/models/small.npz", "Keras"),
    ],
)
def test_a_file_is_found_where_its_tool_leaves_it(
    convention: str,
    variables: dict[str, str],
    place: str,
    cache: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    file = small_file(convention=convention)
    assert list(copies(file)) == []
    path = put(tmp_path / place)
    assert list(copies(file)) == [Copy(cache, path, None)]


def test_a_file_of_one_tool_is_not_looked_for_in_the_cache_of_another(tmp_path: Path) -> None:
    put(tmp_path / ".keras/models/small.npz")
    assert list(copies(small_file(convention="torchvision"))) == []


def test_hugging_faces_layout(tmp_path: Path) -> None:
    link = put_in_hub_cache(tmp_path)
    assert list(copies(hub_file())) == [Copy("Hugging Face", link, None)]


def test_a_snapshot_without_a_branch_is_found_as_well(tmp_path: Path) -> None:
    link = put_in_hub_cache(tmp_path)
    (tmp_path / "hub/models--timm--vgg16.tv_in1k/refs/main").unlink()
    assert [copy.path for copy in copies(hub_file())] == [link]


def test_our_own_copy_comes_first(tmp_path: Path) -> None:
    put_in_hub_cache(tmp_path)
    put(own_path(hub_file()))
    assert [copy.cache for copy in copies(hub_file())] == ["vggnet", "Hugging Face"]


def test_a_file_with_the_same_weights_does_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = Digest("sha256", hashlib.sha256(OTHER).hexdigest())
    same = small_file(name="vgg16@torchvision", convention="torchvision", digest=digest)
    monkeypatch.setitem(CATALOG, same.name, same)
    path = put(tmp_path / ".cache/torch/hub/checkpoints/small.npz", OTHER)
    file = hub_file(same_weights=same.name)
    assert list(copies(file)) == [Copy("torch hub", path, None)]
    link = put_in_hub_cache(tmp_path)
    assert [copy.path for copy in copies(file)] == [link, path]
    path.write_bytes(BODY)  # what the other file should be, not this one
    assert [copy.fault is None for copy in copies(file)] == [True, False]


def test_a_wrong_length_is_said_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = reads(monkeypatch)
    path = put(tmp_path / "a", BODY[:-1])
    assert fault(path, small_file()) == "it has 10,239 bytes, not 10,240"
    assert seen == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_altered_bytes_are_told_by_both_digests(algorithm: str, tmp_path: Path) -> None:
    good, bad = (hashlib.new(algorithm, body).hexdigest() for body in (BODY, OTHER))
    file = small_file(digest=Digest(algorithm, good))  # type: ignore[arg-type]
    assert fault(put(tmp_path / "a"), file) is None
    said = fault(put(tmp_path / "b", OTHER), file)
    assert said == f"expected {algorithm} {good}, found {algorithm} {bad}"


def test_the_first_digits_are_enough_where_no_more_are_known(tmp_path: Path) -> None:
    file = small_file(digest=Digest("sha256", hashlib.sha256(BODY).hexdigest()[:8]))
    assert fault(put(tmp_path / "a"), file) is None
    assert fault(put(tmp_path / "b", OTHER), file) is not None


def test_without_a_digest_hugging_faces_own_is_taken(tmp_path: Path) -> None:
    file = hub_file(digest=None, num_bytes=None)
    good = hashlib.sha256(BODY).hexdigest()
    assert fault(put_in_hub_cache(tmp_path / "1", BODY, good), file) is None
    said = fault(put_in_hub_cache(tmp_path / "2", OTHER, good), file)
    assert said == f"expected sha256 {good}, found sha256 {hashlib.sha256(OTHER).hexdigest()}"


@pytest.mark.parametrize(
    ("more", "accepted"), [(-1, False), (0, True), (1_000_000, True), (1_000_001, False)]
)
def test_without_any_digest_the_size_is_that_of_the_parameters(
    more: int, accepted: bool, tmp_path: Path
) -> None:
    parameters = 4 * 14_714_688  # of D's convolutions
    path = put(tmp_path / "by hand", b"")
    os.truncate(path, parameters + more)  # a hole, which takes no disk
    found = fault(path, hub_file(digest=None, num_bytes=None, head=False))
    assert found is None if accepted else str(found).startswith("it cannot be verified: its digest")


def test_what_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    assert fault(tmp_path / "nowhere", small_file()) == "No such file or directory"


def test_a_verified_digest_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    path = put(tmp_path / "a")
    for _ in range(3):
        assert fault(path, small_file()) is None
    assert seen == ["sha256"]
    path = path.rename(tmp_path / "b")
    assert fault(path, small_file()) is None
    assert seen == ["sha256"]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = put(tmp_path / "a")
    assert fault(path, small_file()) is None
    status = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert str(fault(path, small_file())).startswith("expected sha256")


def test_a_fault_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    path = put(tmp_path / "a", OTHER)
    assert fault(path, small_file())
    assert fault(path, small_file())
    assert len(seen) == 2


@pytest.mark.parametrize(
    "memory", [b"", b"[]", b"{", b"[" * 100_000, b"\xff", b'{"a": 1}', b'{"KEY": []}']
)
def test_a_damaged_memory_costs_only_time(memory: bytes, tmp_path: Path) -> None:
    path = put(tmp_path / "a")
    status = path.stat()
    key = f"sha256 {status.st_dev}:{status.st_ino}".encode()
    put(cache_folder() / "verified.json", memory.replace(b"KEY", key))
    assert fault(path, small_file()) is None
    entries = json.loads((cache_folder() / "verified.json").read_bytes())
    digits = hashlib.sha256(BODY).hexdigest()
    assert entries[key.decode()] == [digits, len(BODY), status.st_mtime_ns]


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VGGNET_CACHE", str(put(tmp_path / "a file") / "in it"))
    assert fault(put(tmp_path / "a"), small_file()) is None
