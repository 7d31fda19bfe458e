# SPDX-License-Identifier: Apache-2.0
"""Suite latency: from publish to take, by each way to wait, quiet and under load.

And how soon the first points of a large frame are there: in slices, and whole.  Each
condition is a run of its own of bench/latency/publish_take.c, in which lidard and
plain iceoryx take turns, and so many of bench/latency/first_point.c as there are rounds.
"""
import collections
import json
import os
import statistics
import subprocess
import sys

import rows
from load import Load, name as load_name
from suite_fanout import CannotRun

SHM_BYTES = 6 << 30
TARGETS = ['bench/publish-take', 'bench/first-point', 'bench/bench-lidard',
           'bench/bench-lidard-frames', 'tests/in-sandbox', 'libclient/liblidard-iox.so']
SIZES = [64 << 10, 1 << 20, 16 << 20]
QUICK_SIZES = [1 << 20]
SECONDS = 0.5
QUICK_SECONDS = 0.1
# of first points: some 45 frames, in five rounds enough for p99
FRAME_SECONDS = 6.0
QUICK_FRAME_SECONDS = 0.6
# below what the kernel's own threads may have
PRIORITY = 10

Contender = collections.namedtuple('Contender', 'name package about')
CONTENDERS = [
    Contender('lidard', '-', 'publish to take: liblidard, in place'),
    Contender('iceoryx', '-', "publish to take: iceoryx's C binding, in place"),
    Contender('lidard-slices', '-', 'first point of 64 MiB at 500 MB/s: slices, 64 KiB, then 1 MiB'),
    Contender('lidard-whole', '-', 'first point of 64 MiB at 500 MB/s: the frame as one'),
]
PUBLISH_TAKE = ('lidard', 'iceoryx')
FIRST_POINT = ('lidard-slices', 'lidard-whole')
WAYS = ['poll', 'spin', 'block', 'fd']
FIRST_POINT_WAYS = ['first-point', 'whole-frame']
# name, is there load, SCHED_FIFO
CONDITIONS = [('quiet', False, False), ('fifo', False, True), ('load', True, False),
              ('load-fifo', True, True)]
QUICK_CONDITIONS = [CONDITIONS[0], CONDITIONS[3]]
# what its rows have besides
KEYS = ['way', 'condition', 'load', 'publisher_us_per_slice', 'reader_us_per_slice',
        'ratio_to_iceoryx', 'samples', 'lost', 'skipped']


def read_contenders():
    return CONTENDERS


def names():
    return [c.name for c in CONTENDERS]


def packages():
    return ['iceoryx', 'stress-ng']


def make_growth(_):
    """There is one reader, and nobody touches payloads."""
    return []


def why_not_fifo():
    """None, or why SCHED_FIFO cannot be had."""
    if len(os.sched_getaffinity(0)) < 2:
        return 'a reader that polls with SCHED_FIFO would leave no core to the publisher'
    done = subprocess.run(['chrt', '-f', str(PRIORITY), 'true'], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return None if done.returncode == 0 else 'no SCHED_FIFO: ' + done.stderr.strip()


def run_program(build, fifo, program, *arguments, seconds):
    """Return: its lines of JSON. Raises RuntimeError with what it said."""
    priority = ['chrt', '-f', str(PRIORITY)] if fifo else []
    command = [f'{build}/tests/in-sandbox', f'--shm-bytes={SHM_BYTES}', '--', *priority,
               f'{build}/bench/{program}', *map(str, arguments)]
    try:
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=240 + 4 * seconds)
    except subprocess.TimeoutExpired as e:
        raise RuntimeError('does not end') from e
    if done.returncode == 77:
        raise CannotRun(done.stdout.strip().replace('1..0 # SKIP ', ''))
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().split('\n')[-1] or
                           f'exit status {done.returncode}')
    return [json.loads(line) for line in done.stdout.splitlines()]


def to_round(counted):
    """As rows.make_row() wants it; what was lost is not this suite's question."""
    return {'contender': counted['contender'], 'bytes': counted['bytes'], 'hz': counted['hz'],
            'subscribers': 1, 'duration_ns': counted['published'] / counted['hz'] * 1e9,
            'due': 0, 'sent': counted['published'], 'taken': counted['taken'],
            'producer_cpu_ns': counted['publisher_cpu_ns'], 'has_daemon': False,
            'daemon_cpu_ns': 0, 'subscriber_cpu_ns': counted['reader_cpu_ns'],
            'max_ns': counted['max_ns'], 'latency': counted['latency']}


# a rate of payloads that nobody writes or reads would be a number without a meaning
MEANINGLESS = ('gb_per_s', 'cpu_s_per_gb_producer', 'cpu_s_per_gb_subscriber')


def add_keys(row, condition, way, skipped=None):
    name, loaded, _ = condition
    row.update(dict.fromkeys(KEYS), way=way, condition=name,
               load=load_name() if loaded else None, skipped=skipped)
    return row


def make_row(machine, condition, way, rounds):
    row = rows.make_row('latency', machine, [to_round(r) for r in rounds])
    add_keys(row, condition, way)
    for who in ('publisher', 'reader'):
        row[f'{who}_us_per_slice'] = statistics.median(
            r[f'{who}_cpu_ns'] / max(r['published'], 1) / 1e3 for r in rounds)
    row['samples'] = sum(count for r in rounds for _, count in r['latency'])
    # of these nobody knows how late they would have been
    row['lost'] = sum(r['lost'] for r in rounds) if way in FIRST_POINT_WAYS else None
    for key in MEANINGLESS if way in WAYS else []:
        row[key] = None
        row['spread'].pop(key, None)
    return row


def add_ratios(made):
    """lidard's p50 over iceoryx's, of the same way, size and condition."""
    for row in made:
        other = [r for r in made if r['contender'] == 'iceoryx' and r['way'] == row['way']]
        if row['contender'] == 'lidard' and other and row['p50_us'] and other[0]['p50_us']:
            row['ratio_to_iceoryx'] = row['p50_us'] / other[0]['p50_us']
    return made


def make_missing(plan, condition, names_and_ways, work, error=None, skipped=None):
    return [add_keys(rows.make_failure('latency', plan.machine, name, work, error), condition, way,
                     skipped) for name, way in names_and_ways]


def wanted(plan, some):
    return [name for name in some if not plan.only or name in plan.only]


def publish_take(plan, condition, load):
    """Yields rows of the same size."""
    chosen = wanted(plan, PUBLISH_TAKE)
    sizes = sorted({size for size, _ in plan.shapes or []}) or (
        QUICK_SIZES if plan.quick else SIZES)
    seconds = plan.seconds or (QUICK_SECONDS if plan.quick else SECONDS)
    all_of = [(name, way) for way in WAYS for name in chosen]
    # a stage has room for four sizes
    for at in range(0, len(sizes) if chosen else 0, 4):
        some, error = sizes[at:at + 4], None
        try:
            counted = run_program(plan.build, condition[2], 'publish-take', plan.rounds,
                                  seconds, *some, seconds=plan.rounds * seconds * len(some) * 8)
            load.check()
        except RuntimeError as e:
            error = str(e)
        for size in some:
            if error:
                yield make_missing(plan, condition, all_of,
                                   {'bytes': size, 'hz': 1000, 'subscribers': 1}, error)
                continue
            yield add_ratios([make_row(plan.machine, condition, way, [
                c for c in counted if (c['contender'], c['way'], c['bytes']) == (name, way, size)])
                for name, way in all_of])


def first_point(plan, condition, load):
    """Return: rows, or none if nobody takes part."""
    chosen = wanted(plan, FIRST_POINT)
    # in less there is hardly a frame
    seconds = max(plan.seconds or (0 if plan.quick else FRAME_SECONDS), QUICK_FRAME_SECONDS)
    counted, failed = [], {}
    for number in range(plan.rounds):
        for i in range(len(chosen)):
            name = chosen[(i + number) % len(chosen)]
            if name in failed:
                continue
            try:
                counted += run_program(plan.build, condition[2], 'first-point',
                                       name.removeprefix('lidard-'), seconds, seconds=seconds)
                load.check()
            except RuntimeError as e:
                failed[name] = str(e)
    made = []
    for name in chosen:
        for way in FIRST_POINT_WAYS:
            own = [c for c in counted if (c['contender'], c['way']) == (name, way)]
            if name in failed:
                made += make_missing(plan, condition, [(name, way)],
                                     {'bytes': 64 << 20, 'hz': None, 'subscribers': 1},
                                     failed[name])
            else:
                made.append(make_row(plan.machine, condition, way, own))
    return made


def run(plan):
    """Yields rows of the same condition and size, as soon as they are there."""
    for condition in QUICK_CONDITIONS if plan.quick else CONDITIONS:
        missing = why_not_fifo() if condition[2] else None
        if missing:
            print(f'bench/run: latency, {condition[0]}: {missing}', file=sys.stderr)
            all_of = [(name, way) for way in WAYS for name in wanted(plan, PUBLISH_TAKE)]
            all_of += [(name, 'first-point') for name in wanted(plan, FIRST_POINT)]
            yield make_missing(plan, condition, all_of,
                               {'bytes': None, 'hz': None, 'subscribers': 1}, skipped=missing)
            continue
        with Load(condition[1]) as load:
            yield from publish_take(plan, condition, load)
            made = first_point(plan, condition, load)
        if made:
            yield made


HEADER = ['| | | samples | p50 µs (spread) | p99 | p99.9 | max | publisher CPU µs/slice | reader | '
          'p50 lidard/iceoryx |', '|---' * 10 + '|']
SAY_CONDITION = {'quiet': 'nothing else runs', 'fifo': 'nothing else runs, SCHED_FIFO',
                 'load': 'every core busy', 'load-fifo': 'every core busy, SCHED_FIFO'}


def say_samples(row):
    return f"{row['samples']}" + (f" ({row['lost']} slices lost)" if row['lost'] else '')


def to_line(row):
    if row['error'] or row['skipped']:
        why = f"failed: {row['error']}" if row['error'] else f"not here: {row['skipped']}"
        return f"| {row['contender']} | {row['way']} | {why} |" + ' |' * 7
    cells = [row['contender'], row['way'], say_samples(row), rows.say_spread(row, 'p50_us'),
             rows.say(row['p99_us']), rows.say(row['p999_us']), rows.say(row['max_us']),
             rows.say(row['publisher_us_per_slice'], 1), rows.say(row['reader_us_per_slice'], 1),
             rows.say(row['ratio_to_iceoryx'], 2)]
    return '| ' + ' | '.join(cells) + ' |'


def to_table(group):
    """Markdown, for rows of the same condition and size."""
    row = group[0]
    size = f"{rows.say_bytes(row['bytes'])}, " if row['bytes'] else ''
    load = f" ({row['load']})" if row['load'] else ''
    return '\n'.join([f"**{size}{SAY_CONDITION[row['condition']]}{load}**", '', *HEADER,
                      *map(to_line, group), ''])
