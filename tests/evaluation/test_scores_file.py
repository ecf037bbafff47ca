"""vggnet.evaluation.scores_file: what is written, and that a kill, a full disk lose little."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from full_disk import full_disk

from vggnet.class_lists import labels_from_names
from vggnet.evaluation import scores_file
from vggnet.evaluation.scores_file import (
    Row,
    ScoresWriter,
    in_memory,
    read_scores,
)

RECORD = {
    "command": "vggnet evaluate DATA",
    "nets": [{"weights": "a", "protocol": {"name": "dense", "scales": [20, 24]}}],
    "batch_size": 8,
    "classes": [label.to_json() for label in labels_from_names(["blue", "green", "red"])],
}


def rows(start: int, stop: int) -> list[Row]:
    """Of which every seventh is broken."""
    random = np.random.default_rng(0).dirichlet((1, 1, 1), 5000).astype(np.float32)
    return [
        Row(10 * i, f"{i}.png", i % 3, None, f"{i}.png: broken")
        if i % 7 == 6
        else Row(10 * i, f"{i}.png", i % 3, random[i])
        for i in range(start, stop)
    ]


def write(path: Path, number: int, chunk: int = 5, resume: bool = False) -> None:
    with ScoresWriter(path, RECORD, resume) as writer:
        for start in range(writer.done, number, chunk):
            writer.add(rows(start, min(start + chunk, number)))
        writer.finish()


def write_and_stop(path: Path, stop: int) -> None:
    """As when somebody presses Ctrl-C."""
    with ScoresWriter(path, RECORD, resume=True) as writer:
        for start in range(writer.done, stop, 5):
            writer.add(rows(start, start + 5))
        raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _every_chunk_is_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores_file, "PART_SECONDS", 0)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    write(path, 3000, chunk=700)
    found = read_scores(path)
    expected = in_memory(rows(0, 3000), found.record)
    assert [path.name for path in tmp_path.iterdir()] == ["scores.parquet"]
    assert {key: found.record[key] for key in RECORD} == RECORD
    assert [label.name for label in found.classes] == ["blue", "green", "red"]
    np.testing.assert_array_equal(found.index, expected.index)
    np.testing.assert_array_equal(found.target, expected.target)
    np.testing.assert_array_equal(found.scores_NK, expected.scores_NK)
    assert found.scores_NK.shape == (3000 - 3000 // 7, 3)
    assert found.picture == expected.picture
    assert found.faults == expected.faults
    assert found.faults[60] == "6.png: broken"


@pytest.mark.parametrize("broken", [True, False])
def test_files_of_broken_pictures_alone_and_of_none(tmp_path: Path, broken: bool) -> None:
    path = tmp_path / "scores.parquet"
    with ScoresWriter(path, RECORD) as writer:
        writer.add(rows(6, 7) if broken else [])
        writer.finish()
    found = read_scores(path)
    assert (found.scores_NK.shape, len(found.faults)) == ((0, 3), int(broken))


def test_a_resumed_job_writes_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "whole.parquet", 60)
    path = tmp_path / "cut.parquet"
    for stop in (20, 35, 50):
        with pytest.raises(KeyboardInterrupt):
            write_and_stop(path, stop)
        assert not path.exists()
        with ScoresWriter(path, RECORD | {"command": "other"}, resume=True) as writer:
            assert writer.done == stop
    write(path, 60, resume=True)
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_kill_loses_what_was_in_no_part_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "whole.parquet", 60)
    path = tmp_path / "killed.parquet"
    for dies_at in range(1, 18):
        child = os.fork()
        if not child:
            count, fsync = 0, os.fsync

            def deadly(file: int) -> None:
                nonlocal count
                count += 1
                if count == dies_at:  # noqa: B023 (in the child, of this round)
                    os.kill(os.getpid(), signal.SIGKILL)
                fsync(file)  # noqa: B023

            os.fsync = deadly  # type: ignore[assignment]
            try:
                write(path, 60, resume=True)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        if not os.WIFSIGNALED(status):
            break
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    write(path, 60, resume=True)  # once more, all of it
    assert path.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_killed_while_the_parts_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their beginning is left, so that the end is computed again."""
    path = tmp_path / "scores.parquet"
    write(path, 60)
    whole = path.read_bytes()

    class Killed(BaseException):
        pass

    def unlink(part: Path, missing_ok: bool = False) -> None:
        if part.name == "000000020.parquet":
            raise Killed
        if part.exists() or not missing_ok:
            os.unlink(part)  # noqa: PTH108

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(Killed):
            write(path, 60)
    assert [each.name for each in ScoresWriter.parts_of(path).glob("*.parquet")]
    write(path, 60, resume=True)
    assert path.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["scores.parquet"]


def test_a_full_disk_is_told_and_the_parts_before_it_stay(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    too_long = Row(5, "x" * 2000, 0, np.ones(3, np.float32))
    with ScoresWriter(path, RECORD) as writer:
        writer.add(rows(0, 5))
        with full_disk(), pytest.raises(OSError, match="make room, or write to") as caught:
            writer.add([too_long])
        writer.rows.clear()
    assert caught.value.filename == str(writer.parts / "000000005.parquet")
    with ScoresWriter(path, RECORD, resume=True) as writer:
        assert writer.done == 5
        writer.add(rows(5, 60))
        with full_disk(), pytest.raises(OSError, match="make room") as caught:
            writer.finish()
    assert caught.value.filename == str(path)
    write(path, 60, resume=True)
    assert len(read_scores(path).index) + len(read_scores(path).faults) == 60


def test_parts_are_not_gone_on_with_unasked_or_as_another_job(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    with ScoresWriter(path, RECORD) as writer:
        writer.add(rows(0, 5))
    with pytest.raises(ValueError, match="a job that did not end; give --resume to go on with it"):
        ScoresWriter(path, RECORD)
    with pytest.raises(ValueError, match=r"another job's parts: batch_size 8 there and 9 here"):
        ScoresWriter(path, RECORD | {"batch_size": 9}, resume=True)
    with pytest.raises(ValueError, match="no such file; its job has not ended"):
        read_scores(path)
    writer.add(rows(5, 10))
    (writer.parts / "000000000.parquet").unlink()
    with pytest.raises(ValueError, match=r"000000005\.parquet: the part before it is missing"):
        ScoresWriter(path, RECORD, resume=True)
    (writer.parts / "record.json").write_text("{")
    with pytest.raises(ValueError, match=r"record\.json cannot be read"):
        ScoresWriter(path, RECORD, resume=True)


def test_without_parts_a_resumed_job_begins(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    ScoresWriter.parts_of(path).mkdir()  # killed before its first part
    write(path, 10, resume=True)
    assert len(read_scores(path).picture) == 9


def test_a_file_stays_until_another_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    write(path, 10)
    before = path.read_bytes()
    with ScoresWriter(path, RECORD) as writer:
        writer.add(rows(0, 5))
    assert path.read_bytes() == before


def test_a_complete_file_of_another_job_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    write(path, 10)
    before = path.read_bytes()
    other = RECORD | {"nets": [{"weights": "a", "protocol": {"name": "single", "scales": [20]}}]}
    text = (
        r"scores\.parquet: the scores of another job: nets 0 protocol name 'dense' there and "
        r"'single' here, nets 0 protocol scales 1 24 there and None here; delete it, or --save to "
        "another file$"
    )
    for resume in (False, True):
        with pytest.raises(ValueError, match=text):
            ScoresWriter(path, other, resume)
    data = tmp_path / "data.parquet"
    parquet.write_table(arrow.table({"a": [1]}), data)
    with pytest.raises(ValueError, match=r"not scores that vggnet wrote .*; delete it, or --save"):
        ScoresWriter(data, RECORD)
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"scores.parquet", "data.parquet"}
    write(path, 10)  # the same job again
    ScoresWriter(path, RECORD | {"command": "another"})


def test_a_data_folder_may_be_renamed_but_not_filled_with_others(tmp_path: Path) -> None:
    path, data = tmp_path / "scores.parquet", {"name": "data", "contents_sha256": "1"}
    with ScoresWriter(path, RECORD | {"data": data}) as writer:
        writer.add(rows(0, 5))
        writer.finish()
    ScoresWriter(path, RECORD | {"data": data | {"name": "renamed"}})
    with pytest.raises(ValueError, match="data contents_sha256 '1' there and '2' here"):
        ScoresWriter(path, RECORD | {"data": data | {"contents_sha256": "2"}})


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    text = r"scores\.parquet: another process is writing it; wait for its end, or --save to another"
    with ScoresWriter(path, RECORD) as writer:
        writer.add(rows(0, 5))
        child = os.fork()
        if not child:
            status = 1
            try:
                for resume in (False, True):
                    with pytest.raises(ValueError, match=text):
                        ScoresWriter(path, RECORD, resume)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
    with ScoresWriter(path, RECORD, resume=True) as writer:
        assert writer.done == 5
        writer.finish()
    assert [each.name for each in tmp_path.iterdir()] == ["scores.parquet"]


def test_other_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.parquet: no such file$"):
        read_scores(tmp_path / "none.parquet")
    text = tmp_path / "text.parquet"
    text.write_text("hello")
    with pytest.raises(ValueError, match=r"text\.parquet: .*[Pp]arquet"):
        read_scores(text)
    data = tmp_path / "data.parquet"
    parquet.write_table(arrow.table({"a": [1]}), data)
    with pytest.raises(ValueError, match=r"data\.parquet: not scores that vggnet wrote"):
        read_scores(data)
    table = arrow.table({"a": [1]}).replace_schema_metadata(
        {"vggnet": '{"vggnet_scores": 2, "classes": []}'}
    )
    parquet.write_table(table, data)
    with pytest.raises(ValueError, match="scores of version 2; this vggnet reads 1"):
        read_scores(data)
    path = tmp_path / "scores.parquet"
    with ScoresWriter(path, RECORD) as writer:
        writer.add([Row(0, "a", 0, np.ones(2, np.float32))])
        writer.finish()
    with pytest.raises(ValueError, match="its rows do not have 3 scores each"):
        read_scores(path)


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file or directory: '.*none/scores"):
        ScoresWriter(tmp_path / "none" / "scores.parquet", RECORD)


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = tmp_path / "scores.parquet"
    with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'vggnet\[parquet\]'"):
        ScoresWriter(path, RECORD)
    path.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'vggnet\[parquet\]'"):
        read_scores(path)
    assert [each.name for each in tmp_path.iterdir()] == ["scores.parquet"]
