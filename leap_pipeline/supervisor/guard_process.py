"""The process that outlives a supervisor for as long as it takes to end what that left.

Its arguments are the groups that live when it starts. Reads lines: `+GROUP` when a part was
started, `-GROUP` when it is gone. The end of the input means the end of the supervisor, and then
every group that is left is ended.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable

from leap_pipeline.supervisor.groups import end_groups

# A Ctrl-C or a shutdown is the supervisor's to answer.
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def keep_watch(orders: Iterable[str], known: Iterable[str] = ()) -> None:
    """Read until the end, then end what is left."""
    groups = {int(group) for group in known}
    for order in orders:
        sign, group = order[0], int(order[1:])
        if sign == "+":
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups)


if __name__ == "__main__":
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    keep_watch(sys.stdin, sys.argv[1:])
