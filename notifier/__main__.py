"""`python -m notifier`: the same commands as `notifier`."""

from notifier.cli import main

main()
