# SPDX-License-Identifier: Apache-2.0
"""Which shard runs where, and what that costs: pure functions, one file per algorithm."""
