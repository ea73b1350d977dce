"""The command ``alluvium`` that comes with the package.

It is the same as the binary. ``alluvium --import MODULE …`` imports a module first, so that a configuration can name the kinds that it
registers.
"""

from __future__ import annotations

import importlib
import os
import sys

from alluvium import _alluvium

_IMPORT = "--import"


def main() -> None:
    """Runs the command line, and ends the process with its exit code."""
    program, *arguments = sys.argv
    while arguments[:1] == [_IMPORT] and len(arguments) > 1:
        # As with `python -m`, modules of the current folder are found.
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            importlib.import_module(arguments[1])
        except ImportError as error:
            print(f"error: {_IMPORT} {arguments[1]}: {error}", file=sys.stderr)
            sys.exit(2)
        arguments = arguments[2:]
    name = os.path.basename(program)
    sys.exit(_alluvium.main(["alluvium" if name == "__main__.py" else program, *arguments]))
