# SPDX-License-Identifier: Apache-2.0
"""The MLIR dialects: stages of a network, and the program of a PE."""
