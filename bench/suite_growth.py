# SPDX-License-Identifier: Apache-2.0
"""Suite growth: what one more sensor costs, lidard's daemon and whoever uses iceoryx directly.

N sensors of one producer, each with slices, a rate and a subscriber of its own.  A turn is
one of suite fanout's (bench/fanout/main.c); turns of all contenders and all N alternate in
rounds, those of the same N next to each other, and each round begins with another.
"""
import collections

import rows
import suite_fanout

TARGETS = suite_fanout.TARGETS
SIZE, HZ = 64 << 10, 500
SENSORS = [1, 2, 4, 8]
QUICK_SENSORS = [1, 2]
SECONDS = 1.0
QUICK_SECONDS = 0.3

Contender = collections.namedtuple('Contender', 'name package about')
CONTENDERS = [Contender('lidard', '-', 'N sensors of one daemon, 64 KiB at 500 Hz each, a '
                        'subscriber for each'),
              Contender('iceoryx', '-', "the same with iceoryx's C binding: one thread, a "
                        'publisher for each sensor')]
# what its rows have besides; those of CPU have a spread
PER_SLICE = {'producer_us_per_slice': 'producer_cpu_ns', 'daemon_us_per_slice': 'daemon_cpu_ns',
             'subscriber_us_per_slice': 'subscriber_cpu_ns'}
KEYS = ['sensors', 'producer_core_pct', *PER_SLICE]


def read_contenders():
    return CONTENDERS


def names():
    return [c.name for c in CONTENDERS]


def packages():
    return ['iceoryx']


def figures_of(r):
    """Of one round: CPU for each slice that was sent, and how much of a core all of them took."""
    figures = {key: rows.per(r[cpu] / 1e3, r['sent']) for key, cpu in PER_SLICE.items()}
    figures['producer_core_pct'] = rows.per(100 * r['producer_cpu_ns'], r['duration_ns'])
    return figures


def make_row(machine, rounds):
    row = rows.make_row('growth', machine, rounds)
    row.update(dict.fromkeys(KEYS), sensors=rounds[0]['sensors'])
    rows.put_medians(row, [figures_of(r) for r in rounds], KEYS[1:])
    return row


def make_failure(machine, contender, work, error):
    return rows.make_failure('growth', machine, contender, dict.fromkeys(KEYS) | work, error)


def play(plan, turns):
    """All rounds of all turns, which are (contender, work). Return: a row for each."""
    counted, failed = [[] for _ in turns], {}
    seconds = plan.seconds or (QUICK_SECONDS if plan.quick else SECONDS)
    for number in range(plan.rounds):
        for i in range(len(turns)):
            at = (i + number) % len(turns)
            if at in failed:
                continue
            try:
                counted[at].append(suite_fanout.turn(plan.build, *turns[at], seconds))
            except RuntimeError as e:
                failed[at] = str(e)
    return [make_failure(plan.machine, *turn, failed[at]) if at in failed
            else make_row(plan.machine, counted[at]) for at, turn in enumerate(turns)]


def run(plan):
    """Yields rows of the same slices. Without a rate sensors would have no cost of their own."""
    chosen = [name for name in names() if not plan.only or name in plan.only]
    counts = plan.subscribers or (QUICK_SENSORS if plan.quick else SENSORS)
    for size, hz in plan.shapes or [(SIZE, HZ)]:
        works = [{'bytes': size, 'hz': hz, 'subscribers': n, 'sensors': n} for n in counts]
        if hz and chosen:
            yield play(plan, [(name, work) for work in works for name in chosen])


def make_growth(made):
    """By least squares: what each further sensor adds, to a slice's cost and to the producer's."""
    groups, growth = {}, []
    for row in made:
        if not row['error'] and row['producer_us_per_slice'] is not None:
            groups.setdefault((row['contender'], row['bytes'], row['hz']), []).append(row)
    for (contender, size, hz), own in groups.items():
        slope = {key: rows.slope([(r['sensors'], r[key]) for r in own])
                 for key in ('producer_us_per_slice', 'producer_core_pct')}
        if slope['producer_core_pct'] is None:
            continue
        growth.append({'suite': 'growth', 'growth': 'sensor', 'contender': contender,
                       'bytes': size, 'hz': hz, 'subscribers': None,
                       'us_per_slice_per_sensor': slope['producer_us_per_slice'],
                       'core_pct_per_sensor': slope['producer_core_pct'],
                       'points': len(own), 'machine': own[0]['machine']})
    return growth


HEADER = ['| | sensors | CPU µs a slice, producer (spread) | RouDi | subscriber | producer, % of a '
          'core (spread) | p50 µs (spread) | p99 | max | lost % |', '|---' * 10 + '|']


def to_line(row):
    if row['error']:
        return f"| {row['contender']} | {row['sensors']} | failed: {row['error']} |" + ' |' * 7
    cells = [row['contender'], str(row['sensors']),
             rows.say_spread(row, 'producer_us_per_slice', 1),
             rows.say(row['daemon_us_per_slice'], 1), rows.say(row['subscriber_us_per_slice'], 1),
             rows.say_spread(row, 'producer_core_pct', 1), rows.say_spread(row, 'p50_us'),
             rows.say(row['p99_us']), rows.say(row['max_us']), rows.say(row['loss_pct'], 1)]
    return '| ' + ' | '.join(cells) + ' |'


def to_table(group):
    """Markdown, for rows of the same slices."""
    row = group[0]
    return '\n'.join([f"**{rows.say_bytes(row['bytes'])} at {row['hz']} Hz from each sensor, a "
                      'subscriber for each**', '', *HEADER, *map(to_line, group), ''])
