# SPDX-License-Identifier: Apache-2.0
"""Suite decode: packets of sensors to points in loans, beside memcpy of the same points.

Which sensors is in bench/decode/sensors.  A turn is a run of bench/decode/main.c; the
turns of all alternate in rounds, and each round begins with another.  Recordings are
those of $LIDARD_TEST_DATA; a row says where there is none.
"""
import collections
import json
import os
import re
import shutil
import statistics
import subprocess

import rows

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = ['bench/decode/decode']
SECONDS = 0.2
# stands for all that was copied beside the decoders
MEMCPY = 'memcpy'
QUICK_SECONDS = 0.03

Sensor = collections.namedtuple('Sensor', 'package name decoder model packets file about')
# what its rows have besides; of them those that have a median, and so a spread
FIGURES = ['mb_per_s', 'points_per_s', 'ns_per_point', 'memcpy_ns_per_point', 'over_memcpy',
           'times_real_time']
KEYS = [*FIGURES, 'packets', 'instructions_per_point', 'skipped']


def read_contenders(path=os.path.join(HERE, 'decode', 'sensors')):
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if line.strip() and not line.startswith('#')]
    fields = [[field.strip() for field in line.split('|')] for line in lines]
    return [Sensor('-', *('' if field == '-' else field for field in row)) for row in fields]


def names():
    return [MEMCPY, *(s.name for s in read_contenders())]


def packages():
    return []


def make_growth(_):
    """Nothing is varied."""
    return []


def is_made(sensor):
    return sensor.packets.isdecimal()


def why_not(sensor):
    """Return: why its packets cannot be had here; None: they can."""
    if is_made(sensor):
        return None
    folder = os.environ.get('LIDARD_TEST_DATA')
    if not folder:
        return 'LIDARD_TEST_DATA names no folder of recordings'
    for name in filter(None, (sensor.packets, sensor.file)):
        if not os.access(f'{folder}/{name}', os.R_OK):
            return f'no {name} in LIDARD_TEST_DATA'
    return None


def command_of(build, sensor, seconds):
    command = [f'{build}/bench/decode/decode', str(seconds)]
    if is_made(sensor):
        return [*command, 'made', sensor.decoder, sensor.model, sensor.packets]
    folder = os.environ['LIDARD_TEST_DATA']
    return [*command, 'recorded', sensor.decoder, sensor.model, f'{folder}/{sensor.packets}',
            f'{folder}/{sensor.file}' if sensor.file else '']


def call(command):
    """Return: (stdout, stderr). Raises RuntimeError with what the program said."""
    try:
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=600)
    except subprocess.TimeoutExpired as e:
        raise RuntimeError('does not end') from e
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).split('\n')[-1]
        raise RuntimeError(said.removeprefix('decode: ') or f'exit status {done.returncode}')
    return done.stdout, done.stderr


def figures_of(counted):
    """Of one round."""
    packets_gb = counted['packet_bytes'] * counted['passes'] / 1e9
    points = counted['points'] * counted['passes']
    cpu_s = counted['decode_cpu_ns'] / 1e9
    return {'cpu_s_per_gb_producer': cpu_s / packets_gb,
            'gb_per_s': packets_gb / cpu_s,
            'mb_per_s': 1e3 * packets_gb / cpu_s,
            'points_per_s': points / cpu_s,
            'ns_per_point': counted['decode_cpu_ns'] / points,
            'memcpy_ns_per_point': counted['memcpy_cpu_ns'] / points,
            'over_memcpy': rows.per(counted['decode_cpu_ns'], counted['memcpy_cpu_ns']),
            'times_real_time': rows.per(counted['span_ns'] * counted['passes'],
                                        counted['decode_cpu_ns'])}


def count_instructions(build, sensor):
    """Of a point, by callgrind: of decoding a stream once. Return: None without valgrind."""
    if not shutil.which('valgrind'):
        return None
    out, err = call(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
                     '--toggle-collect=decode_stream*', *command_of(build, sensor, 0)])
    collected = re.search(r'Collected : (\d+)', err)
    if not collected:
        raise RuntimeError('valgrind counted nothing')
    return int(collected[1]) / json.loads(out)['points']


def make_empty(plan, sensor, error=None, skipped=None):
    row = rows.make_failure('decode', plan.machine, sensor.name,
                            {'bytes': 0, 'hz': 0, 'subscribers': 1}, error)
    row.update(dict.fromkeys(KEYS), packets='made' if is_made(sensor) else 'recorded',
               skipped=skipped)
    return row


def make_row(plan, sensor, counted, instructions):
    row = make_empty(plan, sensor)
    figures = [figures_of(one) for one in counted]
    row.update(bytes=counted[0]['packet_bytes'] // counted[0]['packets'], rounds=len(counted),
               instructions_per_point=instructions)
    rows.put_medians(row, figures, figures[0])
    return row


def play(plan, sensors):
    """All rounds of all. Return: a row for each."""
    counted, out, instructions = {s.name: [] for s in sensors}, {}, {}
    seconds = plan.seconds or (QUICK_SECONDS if plan.quick else SECONDS)
    for number in range(plan.rounds):
        for i in range(len(sensors)):
            sensor = sensors[(i + number) % len(sensors)]
            if sensor.name in out:
                continue
            try:
                counted[sensor.name].append(
                    json.loads(call(command_of(plan.build, sensor, seconds))[0]))
                # takes seconds
                if number == 0 and not plan.quick and not plan.seconds:
                    instructions[sensor.name] = count_instructions(plan.build, sensor)
            except RuntimeError as e:
                out[sensor.name] = make_empty(plan, sensor, error=str(e))
    return [out.get(s.name) or
            make_row(plan, s, counted[s.name], instructions.get(s.name)) for s in sensors]


def make_memcpy(plan, group):
    """Of the rows of a group, what memcpy took in it: what decoders are held against."""
    values = [row['memcpy_ns_per_point'] for row in group if row['memcpy_ns_per_point']]
    row = rows.make_failure('decode', plan.machine, MEMCPY,
                            {'bytes': 0, 'hz': 0, 'subscribers': 1}, None)
    row.update(dict.fromkeys(KEYS), packets=group[0]['packets'], rounds=len(values),
               ns_per_point=statistics.median(values), over_memcpy=1.0,
               points_per_s=1e9 / statistics.median(values))
    row['spread']['ns_per_point'] = [min(values), max(values)]
    return row


def run(plan):
    """Yields rows of made-up packets, then of recorded ones."""
    chosen = [s for s in read_contenders() if not plan.only or s.name in plan.only]
    for made in (True, False):
        own = [s for s in chosen if is_made(s) == made]
        here = [s for s in own if not why_not(s)]
        played = dict(zip([s.name for s in here], play(plan, here)))
        group = [played.get(s.name) or make_empty(plan, s, skipped=why_not(s)) for s in own]
        if any(row['memcpy_ns_per_point'] for row in group):
            group.append(make_memcpy(plan, group))
        if group:
            yield group


HEADER = ['| | MB/s per core (spread) | CPU s/GB | million points/s | ns a point (spread) | '
          'memcpy | times memcpy | instructions a point | times real time |',
          '|---|---|---|---|---|---|---|---|---|']


def to_line(row):
    if row['error'] or row['skipped']:
        why = f"failed: {row['error']}" if row['error'] else f"not here: {row['skipped']}"
        return f"| {row['contender']} | {why} |" + ' |' * 7
    cells = [row['contender'], rows.say_spread(row, 'mb_per_s', 0),
             rows.say(row['cpu_s_per_gb_producer'], 2), rows.say(row['points_per_s'] / 1e6, 0),
             rows.say_spread(row, 'ns_per_point', 1), rows.say(row['memcpy_ns_per_point'], 1),
             rows.say(row['over_memcpy'], 1), rows.say(row['instructions_per_point'], 1),
             rows.say(row['times_real_time'], 0)]
    return '| ' + ' | '.join(cells) + ' |'


def to_table(group):
    """Markdown."""
    return '\n'.join([f"**{group[0]['packets']} packets to points**", '', *HEADER,
                      *map(to_line, group), ''])
