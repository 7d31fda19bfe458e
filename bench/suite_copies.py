# SPDX-License-Identifier: Apache-2.0
"""Suite copies: the classic paths from memory or a file to a socket, as fast as they go.

Which there are is in bench/copies/paths.  A turn is a run of bench/copies/main.c; the
turns of all paths and sources alternate in rounds, and each round begins with another.
"""
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile

import rows

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = ['bench/copies/copies']
TO = ['unix', 'tcp']
SIZES = [64 << 10, 1 << 20]
QUICK_SIZES = [1 << 20]
SECONDS = 0.5
QUICK_SECONDS = 0.1

Path = collections.namedtuple('Path', 'name file sources library package about')
# a path, where its frames come from, and copies of each byte to each end, by arithmetic
Way = collections.namedtuple('Way', 'name source copies')
# what its rows have besides
KEYS = ['source', 'to', 'copies_per_byte', 'copied_pct', 'calls_per_gb_sender',
        'calls_per_gb_receiver', 'switches_per_gb_sender', 'switches_per_gb_receiver', 'disk_pct',
        'skipped']


def read_contenders(path=os.path.join(HERE, 'copies', 'paths')):
    with open(path, encoding='utf-8') as f:
        lines = [line for line in f if line.strip() and not line.startswith('#')]
    return [Path(*(field.strip() for field in line.split('|'))) for line in lines]


def ways_of(path):
    """'cache:3/3, disk:3/3' of a Path. Return: [Way]"""
    ways = []
    for word in path.sources.split(','):
        source, copies = word.strip().split(':')
        ways.append(Way(path.name, source, dict(zip(TO, map(int, copies.split('/'))))))
    return ways


def names():
    return [p.name for p in read_contenders()]


def packages():
    return sorted({p.package for p in read_contenders()} - {'-'})


def make_growth(_):
    """There is one receiver."""
    return []


def turn(build, way, work, seconds, folder):
    """Return: what was counted, or a sentence why this kernel cannot. Raises RuntimeError."""
    command = [f'{build}/bench/copies/copies', way.name, way.source, work['to'],
               str(work['bytes']), str(seconds), folder]
    try:
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120 + 2 * seconds)
    except subprocess.TimeoutExpired as e:
        raise RuntimeError('does not end') from e
    if done.returncode == 77:
        return done.stdout.strip()
    if done.returncode != 0:
        # what comes after it is that the other end has gone
        raise RuntimeError(done.stderr.strip().split('\n')[0] or
                           f'exit status {done.returncode}')
    return json.loads(done.stdout)


def to_round(counted):
    """As rows.make_row() wants it: nothing is lost, and latency is that of a full socket."""
    frames = counted['frames']
    return {'contender': counted['contender'], 'bytes': counted['bytes'], 'hz': 0,
            'subscribers': 1, 'duration_ns': counted['duration_ns'], 'due': frames,
            'sent': frames, 'taken': frames, 'producer_cpu_ns': counted['sender']['cpu_ns'],
            'has_daemon': False, 'daemon_cpu_ns': 0,
            'subscriber_cpu_ns': counted['receiver']['cpu_ns'], 'max_ns': 0, 'latency': []}


def counts_of(counted, copies):
    """The figures of a round that only this suite has."""
    gb = counted['frames'] * counted['bytes'] / 1e9
    copied = counted['copied'] / counted['told'] if counted['told'] else None
    figures = {'copied_pct': None if copied is None else 100 * copied,
               'copies_per_byte': copies + (copied or 0),
               'disk_pct': 100 * counted['sender']['disk_bytes'] / (gb * 1e9)}
    for who in ('sender', 'receiver'):
        used = counted[who]
        figures[f'calls_per_gb_{who}'] = used['calls'] / gb
        figures[f'switches_per_gb_{who}'] = (used['voluntary'] + used['involuntary']) / gb
    return figures


def make_row(machine, way, work, rounds):
    row = rows.make_row('copies', machine, [to_round(r) for r in rounds])
    row.update(dict.fromkeys(KEYS), source=way.source, to=work['to'])
    figures = [counts_of(r, way.copies[work['to']]) for r in rounds]
    for key in figures[0]:
        values = [f[key] for f in figures if f[key] is not None]
        row[key] = statistics.median(values) if values else None
    return row


def make_failure(machine, way, work, error=None, skipped=None):
    row = rows.make_failure('copies', machine, way.name,
                            {'bytes': work['bytes'], 'hz': 0, 'subscribers': 1}, error)
    row.update(dict.fromkeys(KEYS), source=way.source, to=work['to'], skipped=skipped)
    return row


def play(plan, ways, work, folder):
    """All rounds of all ways at one piece of work. Return: a row for each."""
    counted = {way[:2]: [] for way in ways}
    out = {}
    seconds = plan.seconds or (QUICK_SECONDS if plan.quick else SECONDS)
    for number in range(plan.rounds):
        for i in range(len(ways)):
            way = ways[(i + number) % len(ways)]
            if way[:2] in out:
                continue
            try:
                one = turn(plan.build, way, work, seconds, folder)
            except RuntimeError as e:
                out[way[:2]] = make_failure(plan.machine, way, work, error=str(e))
                continue
            if isinstance(one, str):
                out[way[:2]] = make_failure(plan.machine, way, work, skipped=one)
            else:
                counted[way[:2]].append(one)
    return [out.get(way[:2]) or make_row(plan.machine, way, work, counted[way[:2]])
            for way in ways]


def choose(plan):
    """Return: ways of the paths that take part; says which do not."""
    done = subprocess.run([f'{plan.build}/bench/copies/copies', '--list'], check=True, text=True,
                          stdout=subprocess.PIPE)
    chosen = []
    for path in read_contenders():
        if plan.only and path.name not in plan.only:
            continue
        if path.name in done.stdout.split():
            chosen += ways_of(path)
        else:
            print(f'bench/run: {path.name} is not built: it needs {path.package} (--install)',
                  file=sys.stderr)
    return chosen


def run(plan):
    """Yields rows of the same work, as soon as they are there."""
    ways = choose(plan)
    sizes = sorted({size for size, _ in plan.shapes or []})
    # a /tmp may be memory, and so no disk: files lie with what was built
    with tempfile.TemporaryDirectory(prefix='bench-', dir=plan.build) as folder:
        for size in sizes or (QUICK_SIZES if plan.quick else SIZES):
            for to in TO:
                if ways:
                    yield play(plan, ways, {'bytes': size, 'to': to}, folder)


HEADER = ['| | from | copies | CPU s/GB sender (spread) | receiver | calls/GB | receiver | '
          'switches/GB | receiver | read from disk % | GB/s |',
          '|---|---|---|---|---|---|---|---|---|---|---|']


def say_copies(row):
    if row['copied_pct'] is None:
        return rows.say(row['copies_per_byte'], 0)
    return f"{row['copies_per_byte']:.1f}: {row['copied_pct']:.0f} % of sends were copied after all"


def to_line(row):
    if row['error'] or row['skipped']:
        why = f"failed: {row['error']}" if row['error'] else f"not here: {row['skipped']}"
        return f"| {row['contender']} | {row['source']} | {why} |" + ' |' * 8
    cells = [row['contender'], row['source'], say_copies(row),
             rows.say_spread(row, 'cpu_s_per_gb_producer', 3),
             rows.say(row['cpu_s_per_gb_subscriber'], 3), rows.say(row['calls_per_gb_sender'], 0),
             rows.say(row['calls_per_gb_receiver'], 0),
             rows.say(row['switches_per_gb_sender'], 0),
             rows.say(row['switches_per_gb_receiver'], 0), rows.say(row['disk_pct'], 0),
             rows.say(row['gb_per_s'], 2)]
    return '| ' + ' | '.join(cells) + ' |'


def to_table(group):
    """Markdown, for rows of the same work."""
    to = {'unix': 'a Unix stream socket', 'tcp': 'TCP on loopback'}[group[0]['to']]
    return '\n'.join([f"**{rows.say_bytes(group[0]['bytes'])} to {to}**", '', *HEADER,
                      *map(to_line, group), ''])
