"""python -m streams: the same as the console script plumbline."""

from streams.cli import main

main()
