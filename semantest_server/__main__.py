"""`python -m semantest_server` is `semantest-server`."""

from semantest_server.cli import main

main()
