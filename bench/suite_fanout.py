# SPDX-License-Identifier: Apache-2.0
"""Suite fanout: one producer's frames to N subscribers, by every way there is.

Who takes part is in bench/fanout/contenders.  A turn is a run of its own of
bench/fanout/main.c in a sandbox; turns of all contenders alternate in rounds, and
each round begins with another.
"""
import collections
import json
import os
import subprocess
import sys

import rows

HERE = os.path.dirname(os.path.abspath(__file__))
SHM_BYTES = 6 << 30
TARGETS = ['bench/fanout/fanout', 'bench/fanout/bench-lidard-fanout', 'tests/in-sandbox',
           'libclient/liblidard-iox.so']

Contender = collections.namedtuple('Contender', 'name file library package about')
# bytes, frames a second: 0 is as fast as it goes
SHAPES = [(64 << 10, 8000), (1 << 20, 500), (50 << 20, 10), (1 << 20, 0)]
QUICK_SHAPES = [(1 << 20, 500), (1 << 20, 0)]
SUBSCRIBERS = [1, 4, 16]
ROUNDS = 5
SECONDS = 1.0
# at least so many frames a turn
FRAMES = 20


class CannotRun(Exception):
    """Not on this machine, with the reason."""


to_table = rows.to_table
make_growth = rows.make_growth


def read_contenders(path=os.path.join(HERE, 'fanout', 'contenders')):
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if line.strip() and not line.startswith('#')]
    return [Contender(*(field.strip() for field in line.split('|'))) for line in lines]


def names():
    return [c.name for c in read_contenders()]


def list_built(build):
    done = subprocess.run([f'{build}/bench/fanout/fanout', '--list'], check=True, text=True,
                          stdout=subprocess.PIPE)
    return done.stdout.split()


def packages():
    """What versions belong into the line about the machine."""
    own = {c.package for c in read_contenders()} - {'-'}
    return ['iceoryx', *sorted(own)]


def seconds_of(plan, hz):
    if plan.seconds:
        return plan.seconds
    return 0.3 if plan.quick else max(SECONDS, FRAMES / hz if hz else 0)


def turn(build, contender, work, seconds):
    """Return: what was counted. Raises RuntimeError with what the contender said."""
    command = [f'{build}/tests/in-sandbox', f'--shm-bytes={SHM_BYTES}', '--',
               f'{build}/bench/fanout/fanout', contender, str(work['bytes']), str(work['hz']),
               str(work['subscribers']), str(seconds), str(work.get('sensors', 1))]
    try:
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=180 + 2 * seconds)
    except subprocess.TimeoutExpired as e:
        raise RuntimeError('does not end') from e
    if done.returncode == 77:
        raise CannotRun(done.stdout.strip().replace('1..0 # SKIP ', ''))
    if done.returncode != 0:
        last = done.stderr.strip().split('\n')[-1]
        raise RuntimeError(last.removeprefix(f'bench: {contender}: ') or
                           f'exit status {done.returncode}')
    return json.loads(done.stdout)


def play(plan, contenders, work):
    """All rounds of all contenders at one piece of work. Return: a row for each."""
    counted, failed = {name: [] for name in contenders}, {}
    for number in range(plan.rounds):
        for i in range(len(contenders)):
            name = contenders[(i + number) % len(contenders)]
            if name in failed:
                continue
            try:
                counted[name].append(turn(plan.build, name, work, seconds_of(plan, work['hz'])))
            except RuntimeError as e:
                failed[name] = str(e)
    return [rows.make_failure('fanout', plan.machine, name, work, failed[name]) if name in failed
            else rows.make_row('fanout', plan.machine, counted[name]) for name in contenders]


def choose(plan):
    """Return: names of those that take part; says who does not."""
    built, chosen = list_built(plan.build), []
    for c in read_contenders():
        if plan.only and c.name not in plan.only:
            continue
        if c.name in built:
            chosen.append(c.name)
        else:
            print(f'bench/run: {c.name} is not built: it needs {c.package} (--install)',
                  file=sys.stderr)
    return chosen


def run(plan):
    """Yields rows of the same work, as soon as they are there."""
    chosen = choose(plan)
    counts = plan.subscribers or ([2] if plan.quick else SUBSCRIBERS)
    for size, hz in plan.shapes or (QUICK_SHAPES if plan.quick else SHAPES):
        for count in counts:
            if chosen:
                yield play(plan, chosen, {'bytes': size, 'hz': hz, 'subscribers': count})
