# SPDX-License-Identifier: Apache-2.0
"""The only package that knows TVM's names, which change with every release.

Importing it imports TVM (about a second), so nothing that an ordinary run needs may import it.
"""
