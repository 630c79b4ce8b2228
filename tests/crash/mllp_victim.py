"""A listener that is killed: each line on standard input starts a child that listens over one home and says its port.

Forking from a process that has imported everything, and opened nothing, makes many runs cheap.
"""

import asyncio
import os
import sys

from medtwin.record.home import open_store
from medtwin.sources import hl7v2, recognise, spool  # noqa: F401 - imported once, before the children
from medtwin.sources.mllp_listener import Listener


def say(*words):
    os.write(1, (" ".join(words) + "\n").encode())


async def listen(home):
    spool.REST = 0.0  # the queue leaves its file as often as it can, so that kills meet that too
    with open_store(home) as store:
        listener = Listener(store)
        await listener.start()
        say("ready", str(listener.port))
        await asyncio.Event().wait()


def main():
    for _ in sys.stdin:
        pid = os.fork()  # nothing has opened a device or a store here
        if pid == 0:
            asyncio.run(listen(sys.argv[1]))
        say("born", str(pid))
        os.waitpid(pid, 0)
        say("dead")


if __name__ == "__main__":
    main()
