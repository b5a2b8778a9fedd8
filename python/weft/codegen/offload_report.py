# SPDX-License-Identifier: Apache-2.0
"""Where every stage of a network runs: on which device, or on the core and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.dialects.fabric import MeshOp
from weft.transforms.choose_devices import Decision

CORE = "core"


def offload_rows(
    mesh: MeshOp, decisions: Sequence[Decision], stages: Sequence[str]
) -> list[dict[str, Any]]:
    """One row a stage, in the order of ``stages``: ``stage``, ``kind``, ``in_channels`` and
    ``vectors`` (of a box at most; 0 without weights), ``macs`` of all its boxes, ``on`` with the
    MACs on each device and on the core, ``parts`` into which the reduction is cut there at most,
    ``reasons`` why some are on the core. Empty where no PE has a device."""
    of_template: dict[str, list[Decision]] = {}
    for decision in decisions:
        of_template.setdefault(decision.template, []).append(decision)
    rows: dict[str, dict[str, Any]] = {}
    for place in mesh.places:
        labels = [label.data for label in place.labels]
        for decision in of_template.get(place.template_name, ()):
            if not decision.label.isdigit():
                continue  # what is cut out between stages is none
            label = labels[int(decision.label)]
            row = rows.setdefault(
                label,
                {
                    "stage": label,
                    "kind": decision.kind,
                    "in_channels": 0,
                    "vectors": 0,
                    "macs": 0,
                    "on": {},
                    "parts": 1,
                    "reasons": [],
                },
            )
            row["parts"] = max(row["parts"], decision.parts)
            row["macs"] += decision.macs
            row["vectors"] = max(row["vectors"], decision.vectors)
            row["in_channels"] = max(row["in_channels"], decision.in_channels)
            where = decision.device or CORE
            row["on"][where] = row["on"].get(where, 0) + decision.macs
            if decision.device is None and decision.reason not in row["reasons"]:
                row["reasons"].append(decision.reason)
    return [rows[label] for label in stages if label in rows]


def offload_text(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The same as lines of text, with the share of MACs of weighted stages on devices first."""
    weighted = [row for row in rows if row["macs"]]
    total = sum(row["macs"] for row in weighted)
    if not rows or not total:
        return []
    there = total - sum(row["on"].get(CORE, 0) for row in weighted)
    lines = [f"  devices compute {100 * there / total:.1f} % of {total} MACs"]
    for row in rows:
        where = ", ".join(row["on"])
        if row["parts"] > 1:
            where += f", the reduction in {row['parts']} parts"
        reasons = f": {'; '.join(row['reasons'])}" if row["reasons"] else ""
        lines.append(f"    {row['stage']} ({row['kind']}): {where}{reasons}")
    return lines
