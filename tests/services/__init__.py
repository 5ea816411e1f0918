"""Real programs that tests start: a browser, a Prometheus. One file each; fixtures are named for the program."""
