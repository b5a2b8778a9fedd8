# SPDX-License-Identifier: Apache-2.0
"""``weft tune``: schedules of generated kernels, searched for by counting machine code."""

from weft.tuning.tune import tune_model

__all__ = ["tune_model"]
