"""python -m bench: what ``make bench`` runs. Detection has its own command, python -m bench.detection."""

from bench.replay import main

main()
