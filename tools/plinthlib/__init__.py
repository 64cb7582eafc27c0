# SPDX-License-Identifier: BSD-2-Clause
"""The parts of tools/plinth. Standard library only; see tools/README.md for the reading order."""
