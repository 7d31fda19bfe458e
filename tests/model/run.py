#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is every barrier of the rings needed, and are they enough?  Asks spin about ring.pml.

With all barriers no reachable state breaks a promise; with any one left out,
one does.  Prints TAP, one line a barrier.

usage: run.py              all of it
       run.py --trace NAME without this barrier: the steps that break a promise
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ring.pml')

# As SETUP lays the rings out, and rings that only their indices keep from running over.
ROOMY, TIGHT = 2, 3
SLOTS = {ROOMY: 'as many entries as slots', TIGHT: 'fewer entries than slots'}

# barrier: (what it orders, slots of the rings that need it, the promise it keeps)
BARRIERS = {
    'FILL_PRODUCER_RELEASE': ('user: entry, then index', ROOMY,
                              'fill_entry_read_before_it_was_written'),
    'FILL_PRODUCER_AFTER_POINTS': ('user: points, then index', ROOMY, 'slot_has_two_owners'),
    'FILL_PRODUCER_ACQUIRE': ('kernel: index, then entry', ROOMY,
                              'fill_entry_read_before_it_was_written'),
    'FILL_CONSUMER_RELEASE': ('kernel: entry, then index', TIGHT,
                              'fill_entry_overwritten_before_it_was_read'),
    'FILL_CONSUMER_ACQUIRE': ('user: room, then entry', TIGHT,
                              'fill_entry_overwritten_before_it_was_read'),
    'READY_PRODUCER_RELEASE': ('kernel: descriptor, then index', ROOMY,
                               'descriptor_read_before_it_was_complete'),
    'READY_PRODUCER_ACQUIRE': ('user: index, then descriptor', ROOMY,
                               'descriptor_read_before_it_was_complete'),
    'READY_CONSUMER_RELEASE': ('user: descriptor, then index', TIGHT,
                               'descriptor_overwritten_before_it_was_read'),
    'READY_CONSUMER_ACQUIRE': ('kernel: room, then descriptor', TIGHT,
                               'descriptor_overwritten_before_it_was_read'),
    'WAKEUP_USER_BARRIER': ('user: fill_producer, then fill_flags', ROOMY, 'wakeup_lost'),
    'WAKEUP_KERNEL_BARRIER': ('kernel: fill_flags, then fill_producer', ROOMY, 'wakeup_lost'),
    'READY_CONSUMER_AFTER_FILL_PRODUCER': ('kernel: fill_producer, then ready_consumer', ROOMY,
                                           'slot_of_the_user_refused'),
}
# In rings as SETUP lays them out these follow from the others: a slot that comes
# round again has passed both rings, and so has every entry before its own.
IMPLIED = [name for name, (_, slots, _) in BARRIERS.items() if slots == TIGHT]

DEPTH = 2000000     # of the search; what does not fit is reported, never cut off


class Search:
    """One search of the model, in a folder of its own."""

    def __init__(self, folder, slots, without=()):
        self.folder = tempfile.mkdtemp(dir=folder)
        # spin and pan write beside the model
        self.model = shutil.copy(MODEL, self.folder)
        self.define = [f'-DSLOTS={slots}'] + [f'-D{name}=0' for name in without]

    def run(self, *command, check=True):
        return subprocess.run(command, cwd=self.folder, check=check, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def explore(self, *options):
        """What pan prints, compiled with these options."""
        self.run('spin', *self.define, '-a', self.model)
        self.run('cc', '-w', '-DSAFETY', '-DCOLLAPSE', '-DMEMLIM=1500', *options,
                 '-o', 'pan', 'pan.c')
        return self.run('./pan', f'-m{DEPTH}', '-w22')

    def trace(self):
        # ends with an error: the broken promise
        return self.run('spin', *self.define, '-t', '-p', '-g', self.model, check=False)


class Found:
    """What a search came to: the promise that it saw broken, or None, and whether it saw all."""

    def __init__(self, text):
        broken = re.search(r'^pan:\d+: assertion violated +!\((\w+)\)', text, re.M)
        error = re.search(r'^pan:\d+: (.*)$', text, re.M)
        self.broken = broken[1] if broken else error[1] if error else None
        self.states = int(re.search(r'^ *(\d+) states, stored', text, re.M)[1])
        self.complete = 'errors: 0' in text and not re.search(
            r'search not completed|max search depth|out of memory|limit', text, re.I)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, ok, name):
        self.count += 1
        self.failed += not ok
        print(f'{"ok" if ok else "not ok"} {self.count} - {name}', flush=True)


def check(folder, tap):
    for slots, what in SLOTS.items():
        found = Found(Search(folder, slots).explore('-O2'))
        tap.result(found.complete and not found.broken,
                   f'all barriers, {what}: {found.broken or "every promise kept"}, '
                   f'{found.states} states')
    found = Found(Search(folder, ROOMY, IMPLIED).explore('-O2'))
    tap.result(found.complete and not found.broken,
               f'{SLOTS[ROOMY]}, and the order of consumer indices follows from the rest: '
               f'{found.broken or "every promise kept"}, {found.states} states')
    for name, (orders, slots, promise) in BARRIERS.items():
        found = Found(Search(folder, slots, [name]).explore('-O0'))
        tap.result(found.broken == promise,
                   f'without {name} ({orders}): {found.broken or "no promise broken"}, '
                   f'{found.states} states')
    print(f'1..{tap.count}')


def main():
    arguments = sys.argv[1:]
    for program in ('spin', 'cc', 'cpp'):
        if not shutil.which(program):
            print(f'1..0 # SKIP {program} is missing')
            return 0
    with tempfile.TemporaryDirectory(prefix='lidard-model-') as folder:
        if len(arguments) == 2 and arguments[0] == '--trace' and arguments[1] in BARRIERS:
            search = Search(folder, BARRIERS[arguments[1]][1], [arguments[1]])
            search.explore('-DBFS')
            print(search.trace())
            return 0
        if arguments:
            print(__doc__, file=sys.stderr)
            return 2
        tap = Tap()
        check(folder, tap)
        return 1 if tap.failed else 0


if __name__ == '__main__':
    sys.exit(main())
