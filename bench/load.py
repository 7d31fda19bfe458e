# SPDX-License-Identifier: Apache-2.0
"""Something else to do for every core, while somebody measures."""
import os
import shutil
import signal
import subprocess
import sys
import time

# until all of it runs
SETTLE_SECONDS = 0.3


def command():
    """stress-ng, or as many programs that only count as there are cores."""
    cores = os.cpu_count()
    if shutil.which('stress-ng'):
        return [['stress-ng', '--cpu', str(cores), '--quiet']]
    return [[sys.executable, '-c', 'while True: pass']] * cores


def name():
    return os.path.basename(command()[0][0])


class Load:
    """As long as the block lasts."""

    def __init__(self, wanted=True):
        self.wanted = wanted
        self.processes = []

    def __enter__(self):
        for words in command() if self.wanted else []:
            # a group of its own, which ends as one
            self.processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                                   stdout=subprocess.DEVNULL,
                                                   stderr=subprocess.DEVNULL,
                                                   start_new_session=True))
        if self.processes:
            time.sleep(SETTLE_SECONDS)
        return self

    def check(self):
        """Raises RuntimeError if it has ended, and nobody was under load."""
        if any(p.poll() is not None for p in self.processes):
            raise RuntimeError(f'{name()} has ended')

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
