# SPDX-License-Identifier: Apache-2.0
"""Passes on MLIR, one file each; ``pipeline`` lists them in order."""
