"""What the kernel says of a process, read right."""

from __future__ import annotations

import os
from pathlib import Path

from simulator.rig.usage import processor_ns, resident_mb, usage, written_bytes

STATUS = "Name:\tpython\nVmHWM:\t   99999 kB\nVmRSS:\t   38912 kB\nRssAnon:\t   20000 kB\n"
IO = "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 40960\ncancelled_write_bytes: 8192\n"


def test_resident_memory_is_vmrss_in_megabytes() -> None:
    assert resident_mb(STATUS) == 38.0


def test_processor_time_is_the_first_field_of_a_threads_schedule() -> None:
    assert processor_ns("1234567890 987 4321\n") == 1_234_567_890


def test_what_was_cut_off_before_it_reached_a_disk_was_not_written() -> None:
    assert written_bytes(IO) == 32_768


def test_this_process_uses_memory_and_time_and_a_handle_more_for_each_file_it_opens() -> None:
    before = usage(os.getpid())
    with Path(os.devnull).open():
        during = usage(os.getpid())
    assert before.resident_mb > 1
    assert during.processor_ns >= before.processor_ns > 0
    assert during.handles == before.handles + 1
