# SPDX-License-Identifier: Apache-2.0
"""Passes on Relax, and the numbers of the source frameworks."""
