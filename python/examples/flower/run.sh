#!/bin/sh
# Starts a SuperLink and four SuperNodes on this machine, runs the quickstart's stream on them, runs it again in one process, compares
# the two tables, and stops everything.
#
#     pip install 'alluvium[flower]'
#     python/examples/flower/run.sh [FOLDER]

set -eu
here=$(dirname "$0")
exec timeout --kill-after=30 600 "${PYTHON:-python3}" "$here/quickstart.py" "${1:-flower-quickstart}"
