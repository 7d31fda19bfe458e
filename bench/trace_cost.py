#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What watching costs: the same stream with nobody watching, and with lidard-trace attached.

    trace_cost.py [SECONDS [ROUNDS]]    for each phase (LIDARD_BENCH_SECONDS, or 2), and how often

lidard with a synthetic sensor and four subscribers, at 500 and at 8000 slices a
second, all in one run: nobody, lidard-trace --no-scheduler, lidard-trace, nobody
again, and so on.  CPU is that of lidard and of the subscribers, by what the
scheduler says, their time in the kernel and in its traps included; what the
scheduler's tracepoints cost other programs of the machine is not in it.  Stamps
are always on: they are part of every figure, and what they are of it bench_stamps
says, which runs first.
"""
import glob
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tests', 'system'))
import harness
import sandbox
import test_trace
from harness import Reader, System, case, find_sensor, note, sensor
from test_trace import Trace

# the sandbox runs this program once more, with the name of its case for an argument
if len(sys.argv) > 1 and sandbox.MARK not in os.environ:
    for name, value in zip(('LIDARD_BENCH_SECONDS', 'LIDARD_BENCH_ROUNDS'), sys.argv[1:]):
        os.environ[name] = value
SECONDS = float(os.environ.get('LIDARD_BENCH_SECONDS', 2))
# once, to see that it runs; the figures take more
ROUNDS = int(os.environ.get('LIDARD_BENCH_ROUNDS', 12 if SECONDS > 1 else 1))
SUBSCRIBERS = 4
# the same bytes a second, in slices of 64 and of 4 KiB, of which a frame has at most 100
RATES = {500: {'slice_bytes': '64K', 'sim_columns': 1024},
         8000: {'slice_bytes': '4K', 'sim_columns': 400}}
WAYS = {'nobody': None, 'probes': ['--no-scheduler'], 'default': []}


def run_ns(process):
    total = 0
    for task in glob.glob(f'/proc/{process.pid}/task/*/schedstat'):
        with open(task, encoding='ascii') as f:
            total += int(f.read().split()[0])
    return total


def measure(system, readers):
    """Return: slices a second, and CPU of all of them as a share of one core."""
    def look():
        return (time.monotonic(), find_sensor(system.status(), 'front')['published'],
                sum(run_ns(p) for p in [system.lidard, *readers]))
    before = look()
    time.sleep(SECONDS)
    after = look()
    seconds = after[0] - before[0]
    return (after[1] - before[1]) / seconds, (after[2] - before[2]) / seconds / 1e9


def phase(way, system, readers):
    options = WAYS[way]
    trace = Trace('--clear', *options) if options is not None else None
    found = measure(system, readers)
    if trace:
        trace.terminate()
    return found


def tell_stamps():
    status, told = harness.run(f'{harness.BUILD}/bench/bench_stamps')
    harness.equal(status, 0, 'bench_stamps')
    for line in told.splitlines():
        note(f'stamps: {line.lstrip("# ")}')


@case('what watching costs')
def cost():
    tell_stamps()
    for wanted, keys in RATES.items():
        system = System(sensor('front', sim_rate='31250K', subscriber_slices=512,
                               **keys))
        readers = [Reader('front', '--queue', 100, '--stats-ms', 1000) for _ in range(SUBSCRIBERS)]
        found = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way in WAYS:
                found[way].append(phase(way, system, readers))
        # what else is busy on the machine only adds: the least is nearest to the truth
        least = {way: min(cpu for _, cpu in figures) for way, figures in found.items()}
        nobody = statistics.median(cpu for _, cpu in found['nobody'])
        for way, figures in found.items():
            rate = statistics.median(r for r, _ in figures)
            median = statistics.median(c for _, c in figures)
            more = least[way] - least['nobody']
            usual = median - nobody
            note(f'{wanted:5} slices/s wanted, {rate:7.0f} published, {way:8}: CPU '
                 f'{100 * least[way]:6.2f} % at least, {100 * median:.2f} by median; more than '
                 f'with nobody: {100 * more:+.2f} and {100 * usual:+.2f} % of a core, '
                 f'{more / rate * 1e9:+.0f} and {usual / rate * 1e9:+.0f} ns a slice')
        harness.end_processes()
        harness.clean_up()


if __name__ == '__main__':
    sys.argv[1:] = ['what watching costs']
    test_trace.prepare()
    harness.main()
