"""The demo: a whole pharmacy on one machine. Reading order: demo, folder, children; people, past, chores.

`demo` starts and watches processes and touches no database. `past` makes the sample patients' history, once, by letting
them live it. `chores` plays the driver and the teaching nurse while the demo runs.
"""

from notifier.demo.demo import run

__all__ = ["run"]
