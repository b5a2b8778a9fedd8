# SPDX-License-Identifier: Apache-2.0
"""The ``timed`` engine: the same code as ``native`` under a discrete-event clock
(docs/design/timed.md)."""
