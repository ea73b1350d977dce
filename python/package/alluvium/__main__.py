"""``python -m alluvium``: the command line."""

from alluvium.command import main

main()
