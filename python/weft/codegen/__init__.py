# SPDX-License-Identifier: Apache-2.0
"""Files out of IR: C, tables, images, the folder of a compiled program."""
