# SPDX-License-Identifier: Apache-2.0
"""Suite device: slices of a device into a program, by each way there is, in a guest.

A guest, because it needs the modules: bench/device_guest.py makes a virtual LIDAR there
for each turn.  bench/device/consume takes its slices, or lidard does; the turns of the
former alternate in rounds, and each round begins with another.
"""
import collections
import json
import os
import statistics
import subprocess
import sys

import rows

HERE = os.path.dirname(os.path.abspath(__file__))
# what there is of it: without kernel headers no modules
TARGETS = ['bench-device']
NEEDED = ['kmod/lidar_ring.ko', 'kmod/lidar_sim.ko', 'bench/device/consume', 'bench/read-publish']
SIZES = [64 << 10, 1 << 20, 16 << 20, 64 << 20]
QUICK_SIZES = [1 << 20]
SECONDS = 1.0
SCAN_SECONDS = 0.2
QUICK_SCAN_SECONDS = 0.05
# as in bench_device.py: more than can be taken of large ones, so that nobody sleeps
HZ = 2000
# one processor that does an instruction in a nanosecond serves so many of each size
INSTRUCTIONS_HZ = 60
# of ordinary memory's speed: a slot that is mapped uncached has a hundredth of it
SCAN_LEAST = 0.8

Contender = collections.namedtuple('Contender', 'name package about')
CONTENDERS = [
    Contender('read', '-', 'read(): the kernel copies into memory of the program'),
    Contender('get-frame', '-', 'GET_FRAME and RELEASE_FRAME, in place in the mapped ring'),
    Contender('ring', '-', 'the two rings in shared memory, in place in the mapped ring'),
    Contender('ring-dmabuf', '-', 'the same, slices looked at by way of a mapped dma-buf'),
    Contender('ring-copy', '-', 'the two rings, and memcpy into a memfd'),
    Contender('ring-direct', '-', 'the two rings, and the device writes into a memfd'),
    Contender('scan', '-', 'every byte of a filled slot, by ring, dma-buf, ordinary memory'),
    Contender('lidard-copy', '-', 'lidard, device_mode = copy'),
    Contender('lidard-direct', '-', 'lidard, device_mode = direct'),
]
# they take longer to start than everything else to run: one turn
ONCE = ('lidard-copy', 'lidard-direct')
INSTRUCTIONS = ['user_instructions', 'system_instructions']
# what its rows have besides; of them those that have a median, and so a spread
FIGURES = ['cpu_s_per_gb_machine', 'us_per_slice', *(f'{name}_per_gb' for name in INSTRUCTIONS),
           'instructions_per_gb', 'instructions_per_slice']
KEYS = [*FIGURES, 'slices', 'over_memory', 'guest', 'skipped']


def read_contenders():
    return CONTENDERS


def names():
    return [c.name for c in CONTENDERS]


def packages():
    return []


def make_growth(_):
    """There is one program."""
    return []


def make_plan(plan):
    """What bench/device_guest.py is to do."""
    ways = [name for name in names() if (not plan.only or name in plan.only) and
            not (plan.instructions and name == 'scan')]
    sizes = sorted({size for size, _ in plan.shapes or []})
    return {'sizes': sizes or (QUICK_SIZES if plan.quick else SIZES),
            'instructions': plan.instructions,
            # what is counted is the same each time
            'rounds': 1 if plan.instructions else plan.rounds,
            'ways': [way for way in ways if way not in ONCE],
            'once': [way for way in ways if way in ONCE],
            'hz': INSTRUCTIONS_HZ if plan.instructions else HZ,
            'seconds': plan.seconds or SECONDS,
            'scan_seconds': QUICK_SCAN_SECONDS if plan.quick else SCAN_SECONDS}


def read_turns(text):
    """What the guest printed. Return: what it is, and its turns."""
    guest, turns = None, []
    for line in text.splitlines():
        kind, _, rest = line.partition(' ')
        if kind == 'GUEST':
            guest = rest
        elif kind == 'TURN':
            turns.append(json.loads(rest))
    return guest, turns


def why_not(build):
    """Return: why there is nothing to run in a guest; None: there is."""
    for path in NEEDED:
        if not os.path.exists(f'{build}/{path}'):
            return f'the build has no {path} (kernel headers, -Dtests=true)'
    return None


def measure(plan, work):
    """Return: the guest, its turns, and why there are none or not all."""
    reason = why_not(plan.build)
    if reason:
        return None, [], reason
    environment = os.environ | {'LIDARD_BUILD_ROOT': plan.build,
                                'LIDARD_SOURCE_ROOT': os.path.dirname(HERE)}
    done = subprocess.run([sys.executable, f'{HERE}/device_guest.py', json.dumps(work)],
                          check=False, text=True, stdout=subprocess.PIPE, env=environment)
    guest, turns = read_turns(done.stdout)
    if done.returncode == 77 or (done.returncode == 0 and not guest):
        return None, [], 'needs a virtual machine'
    why = f'the guest ended with {done.returncode}' if done.returncode else 'no turn of it'
    return guest or 'none', turns, why


def times_of(one, gb):
    return {'cpu_s_per_gb_producer': one['cpu_ns'] / 1e9 / gb,
            'cpu_s_per_gb_machine': one['machine_cpu_ns'] / 1e9 / gb,
            'us_per_slice': one['cpu_ns'] / 1e3 / one['slices'],
            'gb_per_s': one['bytes'] / one['duration_ns']}


def instructions_of(plan, one):
    """In all; None: nobody counted."""
    if plan.instructions:
        return one['cpu_ns']
    counted = [one[name] for name in INSTRUCTIONS]
    return None if None in counted else sum(counted)


def figures_of(plan, one):
    """Of one turn of a contender that streams."""
    gb, instructions = one['bytes'] / 1e9, instructions_of(plan, one)
    # a clock that counts instructions tells no times
    figures = {} if plan.instructions else times_of(one, gb)
    figures['loss_pct'] = None if one['lost'] is None else \
        100 * one['lost'] / (one['lost'] + one['slices'])
    for name in INSTRUCTIONS:
        figures[f'{name}_per_gb'] = None if one[name] is None else one[name] / gb
    if instructions is not None:
        figures.update(instructions_per_gb=instructions / gb,
                       instructions_per_slice=instructions / one['slices'])
    return figures


def make_empty(plan, contender, size, error=None, skipped=None, hz=None):
    hz = (INSTRUCTIONS_HZ if plan.instructions else HZ) if hz is None else hz
    row = rows.make_failure('device', plan.machine, contender,
                            {'bytes': size, 'hz': hz, 'subscribers': 1}, error)
    row.update(dict.fromkeys(KEYS), skipped=skipped)
    return row


def make_row(plan, guest, contender, size, turns):
    row = make_empty(plan, contender, size)
    row.update(rounds=len(turns), guest=guest, slices=sum(one['slices'] for one in turns))
    figures = [figures_of(plan, one) for one in turns]
    rows.put_medians(row, figures, figures[0])
    return row


def make_scan_rows(plan, guest, size, turns):
    """A row for each memory; a turn has medians of its own rounds already."""
    made = []
    for where in ('ring', 'dmabuf', 'memory'):
        row = make_empty(plan, f'scan-{where}', size, hz=0)
        values = [one[where]['gb_per_s'] for one in turns]
        ratios = [one[where]['gb_per_s'] / one['memory']['gb_per_s'] for one in turns]
        row.update(rounds=sum(one['rounds'] for one in turns), guest=guest,
                   gb_per_s=statistics.median(values), over_memory=statistics.median(ratios))
        row['spread'] = {'gb_per_s': [min(one[where]['least'] for one in turns),
                                      max(one[where]['most'] for one in turns)]}
        if len(ratios) > 1:
            row['spread']['over_memory'] = [min(ratios), max(ratios)]
        made.append(row)
    return made


def rows_of(plan, guest, way, size, turns, why):
    """All rows of a contender at a size."""
    own = [one for one in turns if (one['way'], one['slice_bytes']) == (way, size)]
    failed = [one['error'] for one in own if 'error' in one]
    if failed or (guest and not own):
        return [make_empty(plan, way, size, error=failed[0] if failed else why)]
    if not own:
        return [make_empty(plan, way, size, skipped=why)]
    if way == 'scan':
        return make_scan_rows(plan, guest, size, own)
    if not all(one['slices'] for one in own):
        return [make_empty(plan, way, size, error='no slice came')]
    return [make_row(plan, guest, way, size, own)]


def run(plan):
    """Yields rows of the same size: those that stream, then the scan."""
    work = make_plan(plan)
    ways = work['ways'] + work['once']
    if not ways:
        return
    guest, turns, why = measure(plan, work)
    for size in work['sizes']:
        for scan in (False, True):
            group = [row for way in ways if (way == 'scan') == scan
                     for row in rows_of(plan, guest, way, size, turns, why)]
            if group:
                yield group


HEADER = ['| | CPU s/GB (spread) | whole machine | µs a slice (spread) | instructions a slice | '
          'a GB | GB/s | lost % |',
          '|---|---|---|---|---|---|---|---|']
SCAN_HEADER = [f'| | GB/s (spread) | of ordinary memory (at least {SCAN_LEAST:g}) |',
               '|---|---|---|']


def say_failure(row, columns):
    why = f"failed: {row['error']}" if row['error'] else f"not here: {row['skipped']}"
    return f"| {row['contender']} | {why} |" + ' |' * (columns - 2)


def to_line(row):
    if row['error'] or row['skipped']:
        return say_failure(row, 8)
    cells = [row['contender'], rows.say_spread(row, 'cpu_s_per_gb_producer', 3),
             rows.say(row['cpu_s_per_gb_machine'], 3), rows.say_spread(row, 'us_per_slice', 0),
             rows.say(row['instructions_per_slice'], 0),
             rows.say(row['instructions_per_gb'], 0), rows.say(row['gb_per_s'], 3),
             rows.say(row['loss_pct'], 1)]
    return '| ' + ' | '.join(cells) + ' |'


def to_scan_line(row):
    if row['error'] or row['skipped']:
        return say_failure(row, 3)
    verdict = '' if row['over_memory'] >= SCAN_LEAST else ' **too slow**'
    cells = [row['contender'], rows.say_spread(row, 'gb_per_s', 3),
             rows.say_spread(row, 'over_memory', 2) + verdict]
    return '| ' + ' | '.join(cells) + ' |'


def to_table(group):
    """Markdown, for rows of the same size."""
    size = rows.say_bytes(group[0]['bytes'])
    guest = f", guest: {group[0]['guest']}" if group[0]['guest'] else ''
    if group[0]['contender'].startswith('scan'):
        return '\n'.join([f'**{size}, every byte read where it lies{guest}**', '', *SCAN_HEADER,
                          *map(to_scan_line, group), ''])
    return '\n'.join([f"**{size} at {group[0]['hz']} Hz from a device{guest}**", '', *HEADER,
                      *map(to_line, group), ''])
