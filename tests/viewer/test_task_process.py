"""A process that works, fails, dies and is ended."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from unmetal.errors import InputError
from unmetal.viewer.task_process import ProcessEndedError, TaskFailedError, TaskProcess


def add(report, one: int, two: int) -> int:
    report(one)
    report(two)
    return one + two


def refuse(report) -> None:
    raise InputError("a line")


def fail(report) -> None:
    raise KeyError("Nobody^Known")


def pid(report) -> int:
    return os.getpid()


def crash(report) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def sleep(report) -> None:
    report("asleep")
    time.sleep(600)


def test_one_process_does_it_all_and_another_one_after_a_crash() -> None:
    process, heard = TaskProcess(), []
    try:
        assert process.run(heard.append, "test_task_process:add", 2, 3) == 5
        assert heard == [2, 3]
        first = process.run(print, "test_task_process:pid")
        with pytest.raises(InputError, match="a line"):
            process.run(print, "test_task_process:refuse")
        with pytest.raises(TaskFailedError, match="KeyError") as failed:
            process.run(print, "test_task_process:fail")
        assert "Nobody" not in str(failed.value)
        assert process.run(print, "test_task_process:pid") == first
        with pytest.raises(ProcessEndedError, match="-11"):
            process.run(print, "test_task_process:crash")
        assert process.run(print, "test_task_process:pid") != first
    finally:
        process.close()


def test_a_task_that_is_not_wanted_any_more_is_not_begun() -> None:
    """It was cancelled while the process started."""
    process = TaskProcess()
    try:
        with pytest.raises(ProcessEndedError, match="not wanted"):
            process.run(print, "test_task_process:sleep", wanted=lambda: False)
        assert process.run(print, "test_task_process:pid")
    finally:
        process.close()


def test_a_task_is_ended_from_another_thread() -> None:
    process = TaskProcess()

    def stop_when(message: str) -> None:
        threading.Timer(0.1, process.stop).start()

    with pytest.raises(ProcessEndedError):
        process.run(stop_when, "test_task_process:sleep")
    assert process.run(print, "test_task_process:pid")
    process.close()
    with pytest.raises(ProcessEndedError):
        process.run(print, "test_task_process:pid")
