# SPDX-License-Identifier: Apache-2.0
"""What a firing takes that uses devices: of the core task by task, of each device, and alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from xdsl.ir import SSAValue

from weft.dialects.accel import YieldOp
from weft.dialects.pe import ShardOp, TaskOp, dram_bytes
from weft.kernels.requantize_sums import RequantizeSums, RescaleSums
from weft.machines.model import CostData
from weft.mapping.firing_cycles import StageWork

_REQUANTISE = (RequantizeSums.name, RescaleSums.name)


@dataclass(frozen=True)
class ShardTimes:
    """Of one firing, in cycles of the PE's clock. ``work`` is the core's, task after task by the
    labels of their stages; ``waits`` how long it waits for devices if it has them, and the PE, for
    itself; ``devices`` what each of them takes, by index; ``dram_bytes`` what they copy from
    there."""

    work: tuple[StageWork, ...]
    waits: int
    devices: Mapping[int, int]
    dram_bytes: int = 0


def _requantising(task: TaskOp, cost: CostData) -> float:
    """What making results of raw sums takes, in a task."""
    cycles = 0.0
    for call in task.calls:
        if call.kernel_name in _REQUANTISE:
            parts, out_h, out_w, out_channels = (int(n) for n in call.numbers.get_values()[:4])
            rows = out_h * out_channels
            is_quick = call.kernel_name == RequantizeSums.name
            cycles += cost.requantize_cycles(parts * out_w * rows, rows, is_quick=is_quick)
    return cycles


def shard_times(
    shard: ShardOp,
    stages: Sequence[StageWork],
    cost: CostData,
    ratios: Sequence[float],
    blocking: Collection[int] = (),
) -> ShardTimes | None:
    """None if it uses no device. ``stages`` is what its stages take where the core computes them;
    ``ratios`` are cycles of the PE for one of each device. A job starts when the task that launches
    it has ended; those of ``blocking`` devices, by index, are a part of it."""
    tasks = shard.of_type(TaskOp)
    if not any(True for task in tasks for _ in task.launches):
        return None
    offloaded = {task.label.data for task in tasks if _requantising(task, cost)}
    left = {stage.label: stage.cycles for stage in stages}
    work = []
    now = start = 0.0
    free = [0.0] * len(ratios)
    done: dict[SSAValue, float] = {}
    for task in tasks:
        label = task.label.data
        cycles = _requantising(task, cost)
        cycles += cost.job * sum(1 for _ in task.launches)
        # Those that only bring weights from DRAM come before the one that computes.
        if label not in offloaded and any(True for _ in task.calls):
            cycles += left.pop(label, 0.0)
        blocked = [op for op in task.launches if op.device_index in blocking]
        cycles += sum(op.device_cycles * ratios[op.device_index] for op in blocked)
        work.append(StageWork(label, cycles))
        now = max([now, *(done[awaited.token] for awaited in task.awaits)]) + cycles
        start += cycles
        ends: dict[SSAValue, float] = {}
        for launch in task.launches:
            device = launch.device_index
            if device not in blocking:
                free[device] = max(free[device], now) + launch.device_cycles * ratios[device]
            ends[launch.token] = now if device in blocking else free[device]
        last = task.body.block.last_op
        if isinstance(last, YieldOp):
            handed_on = zip(last.tokens, task.tokens, strict=True)
            done |= {outside: ends[token] for token, outside in handed_on}
    taken: dict[int, float] = {}
    for task in tasks:
        for launch in task.launches:
            device = launch.device_index
            taken[device] = taken.get(device, 0.0) + launch.device_cycles * ratios[device]
    return ShardTimes(
        tuple(work),
        ceil(now - start),
        {device: ceil(t) for device, t in taken.items()},
        _dram_bytes(tasks),
    )


def _dram_bytes(tasks: Sequence[TaskOp]) -> int:
    """What jobs copy from DRAM in a firing."""
    return sum(dram_bytes(launch) for task in tasks for launch in task.launches)
