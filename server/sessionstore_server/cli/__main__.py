"""`python -m sessionstore_server.cli`, the same as `sessionstore`."""

from sessionstore_server.cli import main

main()
