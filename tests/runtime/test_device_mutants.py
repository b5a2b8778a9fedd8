# SPDX-License-Identifier: Apache-2.0
"""The search of test_device_explore.c finds what is wrong in a queue: each of these changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from native.c_compilers import STRICT, require, run, succeed

HERE = Path(__file__).resolve().parent
RUNTIME = HERE.parents[1] / "runtime"
SOURCE = (RUNTIME / "src" / "device.c").read_text(encoding="utf-8")

_START = """\
        if (status == WEFT_OK) {
            status = hear(device, job, device->config.driver->start(device, job));
        }
"""
MUTANTS = {
    "not_counted_as_started_in_time": (
        f"        take(device, job);\n{_START}",
        f"{_START}        take(device, job);\n",
    ),
    "starts_what_waits": (
        "        if (one == WEFT_PENDING) all = one;\n",
        "",
    ),
    "starts_what_inherits": (
        "        if (weft_status_is_error(one)) return one;\n",
        "",
    ),
    "starts_too_many": (
        "device->started - device->done < device->config.facts->jobs_in_flight",
        "device->started - device->done <= device->config.facts->jobs_in_flight",
    ),
    "forgets_failures": (
        "    remember_failure(device, job);\n",
        "    (void)remember_failure;\n",
    ),
    "mixes_up_records": (
        "    if (weft_port_observe(&job->sequence) == ticket->sequence) return outcome;\n",
        "    if (job != NULL) return outcome;\n",
    ),
    "stops_nothing": (
        "    if (is_before(ticket->sequence, device->started) && !stop(device, job)) "
        "return WEFT_PENDING;\n",
        "",
    ),
    "believes_old_words": (
        "    weft_port_publish(&job->told, ~job->sequence << 8);\n",
        "    weft_port_publish(&job->told, job->sequence << 8);\n",
    ),
    "hears_one_only": (
        "sequence - done >= started - done",
        "sequence != done || started == done",
    ),
}


def explore(source: str, folder: Path) -> Path:
    """The search with another queue."""
    (folder / "device.c").write_text(source, encoding="utf-8")
    flags = [*STRICT, "-O2", "-DWEFT_TRACE=0", f"-I{RUNTIME / 'include'}", f"-I{HERE}"]
    sources = [
        HERE / "test_device_explore.c",
        folder / "device.c",
        RUNTIME / "src" / "status.c",
    ]
    succeed([require("gcc"), *flags, *sources, "-o", folder / "explore"])
    return folder / "explore"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_queue_is_found(name: str, tmp_path: Path) -> None:
    before, after = MUTANTS[name]
    assert SOURCE.count(before) == 1
    done = run([explore(SOURCE.replace(before, after), tmp_path)])
    assert done.returncode == 1, done.stderr
    assert "does not hold: violation == NULL" in done.stderr


def test_the_queue_itself_passes(tmp_path: Path) -> None:
    succeed([explore(SOURCE, tmp_path)])
