"""The embedded event log: what was acknowledged stays, in order, through crashes, full disks and many appenders."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from streams import log as log_module
from streams.log import EventLog, LogInUse, LogRefused, LogUnwritable
from streams.log_segments import segment_name
from tests.services.waiting import wait_until

LINES = st.lists(
    st.binary(min_size=1, max_size=40).map(lambda line: line.replace(b"\n", b" ")), min_size=1, max_size=30
)


def read_all(log: EventLog, offset: int = 0, **bounds: int) -> list[tuple[int, bytes]]:
    reader = log.reader()
    found: list[tuple[int, bytes]] = []
    while batch := reader.read(offset + len(found), **bounds):
        found += batch
    reader.close()
    return found


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog(tmp_path / "log", segment_bytes=200) as opened:
        yield opened


def test_what_is_appended_is_read_with_its_offsets(log: EventLog) -> None:
    assert log.append([b"one", b"two"]) == 1
    assert log.append([b"three"]) == 2
    assert read_all(log) == [(0, b"one"), (1, b"two"), (2, b"three")]
    assert log.end == 3
    assert log.append([]) == 2


@pytest.mark.parametrize("lines", [[b""], [b"a\nb"], [b"a", b""], [b"a\n"]])
def test_a_line_that_would_shift_the_offsets_is_refused(log: EventLog, lines: list[bytes]) -> None:
    with pytest.raises(ValueError, match="line of the log"):
        log.append(lines)
    assert log.end == 0


def test_segments_rotate_by_size_and_carry_their_first_offset(log: EventLog) -> None:
    for number in range(40):
        log.append([b"line %02d of the log" % number])
    names = sorted(path.name for path in log.directory.glob("*.jsonl"))
    assert names == [segment_name(base) for base in log.extent.bases]
    assert names == [segment_name(0), segment_name(11), segment_name(22), segment_name(33)]
    assert [line for _, line in read_all(log)] == [b"line %02d of the log" % n for n in range(40)]


@given(
    batches=st.lists(LINES, max_size=6), records=st.integers(1, 7), size=st.integers(1, 300), data=st.data()
)
@settings(max_examples=60, deadline=None)
def test_reading_in_any_portions_from_any_offset_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[bytes]],
    records: int,
    size: int,
    data: st.DataObject,
) -> None:
    with EventLog(tmp_path_factory.mktemp("log"), segment_bytes=100) as log:
        for batch in batches:
            log.append(batch)
        written = list(enumerate(line for batch in batches for line in batch))
        assert read_all(log, max_records=records, max_bytes=size) == written
        start = data.draw(st.integers(0, len(written)))
        assert read_all(log, start, max_records=records, max_bytes=size) == written[start:]


def test_a_reader_follows_the_writer_across_segments(log: EventLog) -> None:
    reader = log.reader()
    seen: list[bytes] = []
    for number in range(50):
        log.append([b"event %d" % number])
        seen += [line for _, line in reader.read(len(seen))]
    assert seen == [b"event %d" % n for n in range(50)]
    assert reader.read(50) == []


def test_appenders_in_many_threads_keep_their_own_order_and_share_syncs(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_writes, everybody_waits = threading.Event(), threading.Event()
    syncs: list[int] = []

    def slow_sync(file: int) -> None:
        # The first one holds the others up until all of them have queued.
        first_writes.set()
        everybody_waits.wait(30)
        syncs.append(file)

    monkeypatch.setattr(log_module, "_sync", slow_sync)
    offsets: dict[int, int] = {}

    def append(writer: int) -> None:
        offsets[writer] = log.append([b"%d a" % writer, b"%d b" % writer])

    threads = [threading.Thread(target=append, args=(writer,)) for writer in range(20)]
    threads[0].start()
    assert first_writes.wait(30)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: len(log._queue) == 19)
    everybody_waits.set()
    for thread in threads:
        thread.join(30)
    assert len(syncs) == 2
    lines = dict(read_all(log))
    assert len(lines) == 40
    for writer, last in offsets.items():
        assert (lines[last - 1], lines[last]) == (b"%d a" % writer, b"%d b" % writer)


def is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@given(batches=st.lists(LINES, min_size=1, max_size=5), data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_crash_that_tears_the_file_anywhere_keeps_the_acknowledged_prefix(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[bytes]], data: st.DataObject
) -> None:
    """The acknowledged part is on the disk; of what was being written when the power went, any beginning may be."""
    directory = tmp_path_factory.mktemp("log")
    acknowledged = data.draw(st.integers(0, len(batches) - 1))
    with EventLog(directory, segment_bytes=120) as log:
        for batch in batches[:acknowledged]:
            log.append(batch)
        last = directory / segment_name(log.extent.bases[-1])
    unfinished = b"\n".join(batches[acknowledged]) + b"\n"
    torn = unfinished[: data.draw(st.integers(0, len(unfinished)))]
    with last.open("ab") as file:
        file.write(torn)
    kept = [line for batch in batches[:acknowledged] for line in batch]
    with EventLog(directory, segment_bytes=120) as log:
        found = [line for _, line in read_all(log)]
        assert found[: len(kept)] == kept
        # A last line without its end is kept where it is a whole object: nothing of it is missing.
        whole = torn.count(b"\n") + is_object(torn.rpartition(b"\n")[2])
        assert found[len(kept) :] == batches[acknowledged][:whole]
        log.append([b"after"])
        assert read_all(log)[-1] == (len(kept) + whole, b"after")


def test_a_torn_line_is_cut_and_the_cut_is_logged_without_its_content(tmp_path: Path) -> None:
    (tmp_path / segment_name(0)).write_bytes(b'{"a":1}\n{"secret":"jo')
    with capture_logs() as logged, EventLog(tmp_path) as log:
        assert read_all(log) == [(0, b'{"a":1}')]
    assert [(entry["event"], entry["line"], entry["bytes"]) for entry in logged] == [
        ("event_log_torn_line_cut", 2, 13)
    ]
    assert "jo" not in repr(logged)


def test_a_plain_history_copied_in_is_a_log_even_without_a_last_newline(tmp_path: Path) -> None:
    (tmp_path / segment_name(0)).write_bytes(b'{"a":1}\n{"b":2}')
    with EventLog(tmp_path) as log:
        log.append([b'{"c":3}'])
        assert read_all(log) == [(0, b'{"a":1}'), (1, b'{"b":2}'), (2, b'{"c":3}')]


def test_a_file_of_another_name_is_refused_and_the_remedy_names_the_right_one(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_bytes(b'{"a":1}\n')
    with pytest.raises(LogRefused) as refused:
        EventLog(tmp_path)
    assert "events-00000000000000000000.jsonl" in refused.value.remedy


def test_a_gap_between_segments_is_refused(log: EventLog) -> None:
    for number in range(40):
        log.append([b"line %02d of the log" % number])
    log.close()
    (log.directory / segment_name(11)).unlink()
    with pytest.raises(LogRefused, match="gap") as refused:
        EventLog(log.directory)
    assert "restore" in refused.value.remedy
    with EventLog(log.directory, check_from=22) as opened:
        assert opened.end == 40
        reader = opened.reader()
        assert len(reader.read(0)) == 11
        with pytest.raises(LogRefused, match="fewer lines"):
            reader.read(11)


def test_a_sealed_segment_that_was_cut_is_refused(log: EventLog) -> None:
    for number in range(40):
        log.append([b"line %02d of the log" % number])
    log.close()
    os.truncate(log.directory / segment_name(11), 100)
    with pytest.raises(LogRefused, match="gap"):
        EventLog(log.directory)


def test_only_one_writer_at_a_time(log: EventLog) -> None:
    with pytest.raises(LogInUse) as refused:
        EventLog(log.directory)
    assert "stop the other" in refused.value.remedy
    log.close()
    EventLog(log.directory).close()


def test_a_directory_that_can_not_be_one_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(LogRefused, match="Not a directory") as refused:
        EventLog(tmp_path / "log")
    assert "data_dir" in refused.value.remedy


def test_a_closed_log_takes_nothing(log: EventLog) -> None:
    log.close()
    log.close()
    with pytest.raises(LogUnwritable, match="closed"):
        log.append([b"x"])


def test_old_segments_go_whole_and_offsets_stay(log: EventLog) -> None:
    for number in range(40):
        log.append([b"line %02d of the log" % number])
    assert log.delete_before(21) == 1
    assert (log.start, log.end) == (11, 40)
    assert read_all(log, 11)[0] == (11, b"line 11 of the log")
    with pytest.raises(LogRefused, match="begins at offset 11"):
        log.reader().read(10)
    assert log.delete_before(1_000) == 2
    assert log.start == 33
    log.close()
    with EventLog(log.directory) as opened:
        assert (opened.start, opened.end) == (33, 40)


def test_an_offset_beyond_the_end_is_refused(log: EventLog) -> None:
    log.append([b"x"])
    with pytest.raises(LogRefused, match="ends at offset 1"):
        log.reader().read(2)


class FullDisk:
    """Writes half of what it is given, then finds the disk full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write = os.write
        self.full = True
        self._half_written = False
        monkeypatch.setattr(log_module.os, "write", self)

    def __call__(self, file: int, data: memoryview) -> int:
        if not self.full:
            return self._write(file, data)
        if self._half_written:
            self._half_written = False
            raise OSError(errno.ENOSPC, "No space left on device")
        self._half_written = True
        return self._write(file, data[: max(1, len(data) // 2)])


def test_a_full_disk_leaves_nothing_behind_and_the_log_goes_on_afterwards(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append([b"before"])
    disk = FullDisk(monkeypatch)
    with pytest.raises(LogUnwritable, match="No space left") as refused:
        log.append([b"lost 1", b"lost 2"])
    assert "free space" in refused.value.remedy
    assert read_all(log) == [(0, b"before")]
    assert (log.directory / segment_name(0)).read_bytes() == b"before\n"
    disk.full = False
    assert log.append([b"after"]) == 1
    assert read_all(log) == [(0, b"before"), (1, b"after")]


def test_a_failed_sync_that_can_not_be_cut_at_once_is_cut_before_the_next_append(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append([b"before"])
    sync, truncate = log_module._sync, os.ftruncate

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(log_module, "_sync", fail)
    monkeypatch.setattr(log_module.os, "ftruncate", fail)
    for _ in range(2):
        with pytest.raises(LogUnwritable):
            log.append([b"lost"])
    assert read_all(log) == [(0, b"before")]
    monkeypatch.setattr(log_module, "_sync", sync)
    monkeypatch.setattr(log_module.os, "ftruncate", truncate)
    assert log.append([b"after"]) == 1
    assert (log.directory / segment_name(0)).read_bytes() == b"before\nafter\n"


def test_a_segment_that_can_not_be_begun_fails_that_append_only(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append([b"x" * 300])
    sync_directory = log_module.sync_directory

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(log_module, "sync_directory", fail)
    with pytest.raises(LogUnwritable):
        log.append([b"lost"])
    monkeypatch.setattr(log_module, "sync_directory", sync_directory)
    assert log.append([b"after"]) == 1
    log.close()
    with EventLog(log.directory) as opened:
        assert read_all(opened) == [(0, b"x" * 300), (1, b"after")]


KILLED = """
import sys
from pathlib import Path
from streams.log import EventLog
log = EventLog(Path(sys.argv[1]), segment_bytes=100)
for number in range(20):
    log.append([b"event %d" % number, b"and its second line"])
    print(log.end, flush=True)
"""


@pytest.mark.parametrize("point", ["log.before_write", "log.after_write", "log.after_fsync"])
@pytest.mark.parametrize("count", [1, 5, 11])
def test_a_kill_at_each_point_of_an_append_keeps_what_was_acknowledged(
    tmp_path: Path, point: str, count: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PLUMBLINE_FAILPOINT": f"{point}:{count}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    acknowledged = int(ran.stdout.split()[-1]) if ran.stdout else 0
    assert acknowledged == 2 * (count - 1)
    with EventLog(tmp_path, segment_bytes=100) as log:
        lines = [line for _, line in read_all(log)]
    expected = [line for n in range(count) for line in (b"event %d" % n, b"and its second line")]
    assert lines == expected[: len(lines)]
    assert len(lines) == (acknowledged if point == "log.before_write" else acknowledged + 2)


def test_a_failpoint_that_is_written_wrong_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import streams.failpoints"],
        env={**os.environ, "PLUMBLINE_FAILPOINT": "log.after_write"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "write it like log.after_write:3" in ran.stderr


def test_the_first_offset_since_a_time_is_that_of_the_oldest_segment_written_since(tmp_path: Path) -> None:
    with EventLog(tmp_path / "log", segment_bytes=10) as log:
        for _ in range(4):
            log.append([b'{"longer": "than a segment"}'])
        names = sorted(path.name for path in (tmp_path / "log").glob("*.jsonl"))
        for name in names[:2]:
            os.utime(tmp_path / "log" / name, (1000, 1000))
        assert log.first_offset_since(0) == 0
        assert log.first_offset_since(2000) == int(names[2][7:27])
        assert log.first_offset_since(1e12) == int(names[-1][7:27])
