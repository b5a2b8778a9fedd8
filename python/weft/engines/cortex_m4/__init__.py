# SPDX-License-Identifier: Apache-2.0
"""PE images as machine code in this process: one emulated core a PE, messages in between.

``session`` is the engine. Only ``core`` meets the emulator, Unicorn, which is an optional extra.
"""
