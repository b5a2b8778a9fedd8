# SPDX-License-Identifier: Apache-2.0
"""``python -m weft`` is the command line."""

from weft.cli import main

main()
