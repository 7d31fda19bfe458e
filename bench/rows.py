# SPDX-License-Identifier: Apache-2.0
"""What bench/run makes of what was counted: rows of figures, as JSON and as a table.

A round is what one turn of a contender counted (bench/fanout/main.c prints it).  A
row has the medians of its rounds, and how far they lie apart; quantiles beyond the
middle are of all samples of all rounds together, and are left out where there are
too few samples for them to mean anything.
"""
import json
import math
import statistics

KEYS = ['suite', 'contender', 'bytes', 'hz', 'subscribers', 'cpu_s_per_gb_producer',
        'cpu_s_per_gb_daemon', 'cpu_s_per_gb_subscriber', 'p50_us', 'p99_us', 'p999_us', 'max_us',
        'gb_per_s', 'loss_pct', 'rounds', 'spread', 'error', 'machine']
# those that have a median, and so a spread
MEDIANS = ['cpu_s_per_gb_producer', 'cpu_s_per_gb_daemon', 'cpu_s_per_gb_subscriber', 'p50_us',
           'gb_per_s', 'loss_pct']


def quantile_ns(buckets, q):
    """Of [value, count] in order of values; None if fewer than 1 sample lies beyond it."""
    total = sum(count for _, count in buckets)
    if total == 0 or total * (1 - q) < 1 - 1e-9:
        return None
    rank, seen = int(q * total), 0
    for value, count in buckets:
        seen += count
        if seen > rank:
            return value
    return buckets[-1][0]


def merge(histograms):
    """Add up histograms of [value, count]."""
    sums = {}
    for histogram in histograms:
        for value, count in histogram:
            sums[value] = sums.get(value, 0) + count
    return sorted(sums.items())


def per(amount, whole):
    """amount / whole, None where there is nothing to divide by."""
    return amount / whole if whole else None


def no_more_than(value, most):
    """A bucket's middle may lie above all that is in it."""
    return None if value is None else min(value, most)


def to_us(ns):
    return None if ns is None else ns / 1e3


def put_medians(row, figures, keys):
    """Of the figures of each round: those that are None in all stay as they are."""
    for key in keys:
        values = [f[key] for f in figures if f[key] is not None]
        if values:
            row[key] = statistics.median(values)
            row['spread'][key] = [min(values), max(values)]


def round_figures(r):
    """The figures of one round that have a median."""
    gb = r['bytes'] / 1e9
    seconds = r['duration_ns'] / 1e9
    # what is due is so of one sensor, and so for that sensor's subscribers
    wanted = r['due'] * r['subscribers'] / r.get('sensors', 1)
    return {
        # of what was sent, and of what was received: what is lost has cost something, too
        'cpu_s_per_gb_producer': per(r['producer_cpu_ns'] / 1e9, r['sent'] * gb),
        'cpu_s_per_gb_daemon':
            per(r['daemon_cpu_ns'] / 1e9, r['sent'] * gb) if r['has_daemon'] else None,
        'cpu_s_per_gb_subscriber': per(r['subscriber_cpu_ns'] / 1e9, r['taken'] * gb),
        'p50_us': to_us(no_more_than(quantile_ns(r['latency'], 0.5), r['max_ns'])),
        'gb_per_s': r['taken'] * gb / r['subscribers'] / seconds,
        'loss_pct': per(100 * max(wanted - r['taken'], 0), wanted),
    }


def make_row(suite, machine, rounds):
    """One object for all rounds of a contender at one piece of work."""
    figures = [round_figures(r) for r in rounds]
    row = dict.fromkeys(KEYS)
    row.update({key: rounds[0][key] for key in ('contender', 'bytes', 'hz', 'subscribers')},
               suite=suite, machine=machine, rounds=len(rounds), spread={})
    put_medians(row, figures, MEDIANS)
    latency = merge(r['latency'] for r in rounds)
    if latency:
        row['max_us'] = max(r['max_ns'] for r in rounds) / 1e3
    for key, q in (('p99_us', 0.99), ('p999_us', 0.999)):
        row[key] = no_more_than(to_us(quantile_ns(latency, q)), row['max_us'])
    return row


def make_failure(suite, machine, contender, work, error):
    """The row of a contender that could not do it."""
    row = dict.fromkeys(KEYS)
    row.update(suite=suite, machine=machine, contender=contender, rounds=0, spread={},
               error=error, **work)
    return row


def to_json(row):
    """One line; figures to four places that count."""
    def short(value):
        if isinstance(value, float):
            return float(f'{value:.4g}')
        if isinstance(value, dict):
            return {k: short(v) for k, v in value.items()}
        return [short(v) for v in value] if isinstance(value, list) else value
    return json.dumps({k: short(v) for k, v in row.items()})


def read_file(path):
    """Rows of a file that bench/run --json wrote. Raises OSError, ValueError (says where)."""
    read = []
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            try:
                row = json.loads(line)
                whole = {'suite', 'contender', 'bytes'} <= row.keys()
                whole = whole and ('growth' in row or set(KEYS) <= row.keys())
            except (ValueError, AttributeError):
                whole = False
            if not whole:
                raise ValueError(f'{path}:{number}: not a row of bench/run --json')
            read.append(row)
    return read


def say_bytes(count):
    for unit, size in (('MiB', 1 << 20), ('KiB', 1 << 10)):
        if count % size == 0:
            return f'{count // size} {unit}'
    return f'{count} B'


def say_subscribers(row):
    return f"{row['subscribers']} subscriber" + ('s' if row['subscribers'] > 1 else '')


def say_work(row):
    rate = f"at {row['hz']} Hz" if row['hz'] else 'flat out'
    return f"{say_bytes(row['bytes'])} {rate}, {say_subscribers(row)}"


def say(value, places=None):
    if value is None:
        return '-'
    if places is None:
        # latencies: from 1 us to seconds
        places = 1 if value < 100 else 0
    return f'{value:.{places}f}'


HEADER = ['| | CPU s/GB producer (spread) | daemon | each subscriber | p50 µs (spread) | p99 | '
          'p99.9 | max | GB/s each | lost % |',
          '|---|---|---|---|---|---|---|---|---|---|']


def say_spread(row, key, places=None):
    text = say(row[key], places)
    if row['rounds'] < 2 or key not in row['spread']:
        return text
    least, most = row['spread'][key]
    return f'{text} ({say(least, places)}-{say(most, places)})'


def to_line(row):
    if row['error']:
        return f"| {row['contender']} | failed: {row['error']} |" + ' |' * 8
    cells = [row['contender'], say_spread(row, 'cpu_s_per_gb_producer', 3),
             say(row['cpu_s_per_gb_daemon'], 3), say(row['cpu_s_per_gb_subscriber'], 3),
             say_spread(row, 'p50_us'), say(row['p99_us']), say(row['p999_us']),
             say(row['max_us']), say(row['gb_per_s'], 3), say(row['loss_pct'], 1)]
    return '| ' + ' | '.join(cells) + ' |'


def cost_of_frame_us(row):
    """CPU time of producer and daemon for a frame; None: not known."""
    if row['error'] or row['cpu_s_per_gb_producer'] is None:
        return None
    s_per_gb = row['cpu_s_per_gb_producer'] + (row['cpu_s_per_gb_daemon'] or 0)
    return s_per_gb * row['bytes'] / 1e3


def slope(points):
    """Of the straight line through points, by least squares; None with fewer than two places."""
    if len({x for x, _ in points}) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return (sum((x - mean_x) * (y - mean_y) for x, y in points) /
            sum((x - mean_x) ** 2 for x, _ in points))


def make_growth(rows):
    """What more costs: a row for each contender and thing that was varied, from rows of a run.

    growth 'subscriber': us of CPU of producer and daemon for a frame that each further
    subscriber adds, by least squares. growth 'doubling': by how much that cost of a frame is
    multiplied when its size doubles: 1 is not at all, 2 is what copies do; only with a rate.
    """
    made, lines = [], {}
    for row in rows:
        cost = cost_of_frame_us(row)
        if not cost:
            continue
        name = row['suite'], row['contender']
        lines.setdefault(('subscriber', *name, row['bytes'], row['hz'], None), []).append(
            (row['subscribers'], cost))
        if row['hz']:
            lines.setdefault(('doubling', *name, None, None, row['subscribers']), []).append(
                (math.log2(row['bytes']), math.log2(cost)))
    for (growth, suite, contender, size, hz, subscribers), points in lines.items():
        value = slope(points)
        if value is None:
            continue
        made.append({'suite': suite, 'growth': growth, 'contender': contender, 'bytes': size,
                     'hz': hz, 'subscribers': subscribers,
                     'us_per_subscriber': value if growth == 'subscriber' else None,
                     'factor_per_doubling': 2 ** value if growth == 'doubling' else None,
                     'points': len(points), 'machine': rows[0]['machine']})
    return made


def growth_cells(row):
    """Yields (column, text)."""
    if row['growth'] == 'doubling':
        yield (f"times for each doubling of size, {say_subscribers(row)}",
               f"{row['factor_per_doubling']:.2f}")
        return
    work = f"{say_bytes(row['bytes'])} " + (f"{row['hz']} Hz" if row['hz'] else 'flat out')
    if row['growth'] == 'subscriber':
        yield f'µs each further subscriber, {work}', f"{row['us_per_subscriber']:.2f}"
    else:
        yield f'µs each further sensor, {work}', f"{row['us_per_slice_per_sensor']:.2f}"
        yield f'% of a core each further sensor, {work}', f"{row['core_pct_per_sensor']:.2f}"


def to_growth_table(made):
    """Markdown: a line for each contender, a column for each thing that grew."""
    columns, cells = [], {}
    # what one kind of growth is stands together
    for row in sorted(made, key=lambda row: row['growth'], reverse=True):
        for column, text in growth_cells(row):
            if column not in columns:
                columns.append(column)
            cells.setdefault(row['contender'], {})[column] = text
    lines = ['**CPU of producer and daemon for a frame: how it grows**', '',
             '| | ' + ' | '.join(columns) + ' |', '|---' * (len(columns) + 1) + '|']
    for name, own in cells.items():
        lines.append(f'| {name} | ' + ' | '.join(own.get(c, '-') for c in columns) + ' |')
    return '\n'.join([*lines, ''])


def to_table(rows):
    """Markdown, for rows of the same work."""
    return '\n'.join([f'**{say_work(rows[0])}**', '', *HEADER, *map(to_line, rows), ''])
