# SPDX-License-Identifier: Apache-2.0
"""TensorIR kernels: one file an operator."""
