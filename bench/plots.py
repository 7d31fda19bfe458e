# SPDX-License-Identifier: Apache-2.0
"""Pictures of bench/run's rows: what was measured, nothing computed anew.

Three kinds: latency against size, CPU per GB against number of subscribers, and
the distribution of latencies from p50 to max.  Rows that share all but one thing
are a curve; a picture that would have no curve is not drawn.  The rows may come
from this run or from a JSON file of an earlier one (bench/plot).
"""
import os
import re
import sys

import rows as row_words

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'trace'))
import picture

# the axis of a distribution: one slice in so many took longer; none than the longest
QUANTILES = [(2, 'p50_us', 'p50'), (100, 'p99_us', 'p99'), (1000, 'p999_us', 'p99.9'),
             (10000, 'max_us', 'max')]


def say_us(value):
    return picture.duration(value * 1e3)


def usable(row):
    """A row of figures: not a failure, and not what growth() made of others."""
    return 'growth' not in row and not row.get('error')


def circumstances(row):
    """What a row of a suite says about its work besides size, rate and subscribers."""
    return tuple(row[key] for key in ('way', 'condition', 'source', 'to') if row.get(key))


def group(rows, key):
    groups = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def curves_of(rows, x, y):
    """[(contender, [(x, y)])] in the order in which contenders come."""
    curves = []
    for name, own in group(rows, lambda row: row['contender']).items():
        points = sorted((x(row), y(row)) for row in own if x(row) and y(row))
        if points:
            curves.append((name, points))
    return curves


def ticks(curves, say):
    return [(value, say(value)) for value in sorted({x for _, c in curves for x, _ in c})]


def y_values(curves):
    return [y for _, c in curves for _, y in c]


def file_name(*words):
    return '-'.join(re.sub(r'[^a-z0-9]+', '-', str(word).lower()).strip('-') for word in words)


def cpu_of_sending(row):
    """Producer and daemon: what one does once, however many receive."""
    if row['cpu_s_per_gb_producer'] is None:
        return None
    return row['cpu_s_per_gb_producer'] + (row['cpu_s_per_gb_daemon'] or 0)


def latency_against_size(rows):
    """Yields (name, curves, x axis, y axis). With a rate: flat out, latency is the queue's."""
    key = lambda row: (row['suite'], circumstances(row), row['subscribers'])
    for (suite, where, count), own in group([r for r in rows if r['hz']], key).items():
        curves = curves_of(own, lambda r: r['bytes'], lambda r: r['p50_us'])
        if len({r['bytes'] for r in own}) < 2 or not curves:
            continue
        yield (file_name(suite, 'latency', *where, count, 'subscribers'), curves,
               picture.Axis(ticks(curves, row_words.say_bytes), 'bytes of a frame'),
               picture.decades(y_values(curves), say_us, ', '.join(
                   ['latency p50', *where, f'subscribers: {count}'])))


def cpu_against_subscribers(rows):
    key = lambda row: (row['suite'], circumstances(row), row['bytes'], row['hz'])
    for (suite, where, size, hz), own in group(rows, key).items():
        curves = curves_of(own, lambda r: r['subscribers'], cpu_of_sending)
        if len({r['subscribers'] for r in own}) < 2 or not curves:
            continue
        work = row_words.say_bytes(size), f'{hz} Hz' if hz else 'flat out'
        yield (file_name(suite, 'cpu', *where, *work), curves,
               picture.Axis(ticks(curves, str), 'subscribers'),
               picture.decades(y_values(curves), lambda v: f'{v:.12g}', ', '.join(
                   ['CPU s/GB of producer and daemon', *where, *work])))


def distribution(rows):
    key = lambda row: (row['suite'], circumstances(row), row['bytes'], row['hz'],
                       row['subscribers'])
    axis = picture.Axis([(rarity, text) for rarity, _, text in QUANTILES], 'share of all slices')
    for (suite, where, size, hz, count), own in group(rows, key).items():
        curves = []
        for row in own:
            points = [(rarity, row[k]) for rarity, k, _ in QUANTILES if row[k]]
            if points:
                curves.append((row['contender'], points))
        if not curves:
            continue
        work = row_words.say_bytes(size), f'{hz} Hz' if hz else 'flat out'
        yield (file_name(suite, 'distribution', *where, *work, count), curves, axis,
               picture.decades(y_values(curves), say_us, ', '.join(
                   ['latency', *where, *work, f'subscribers: {count}'])))


def draw(rows, folder):
    """Write NAME.svg and, where rsvg-convert is, NAME.png.

    Return: names without ending, and why there is no PNG or None. Raises OSError.
    """
    rows = [row for row in rows if usable(row)]
    os.makedirs(folder, exist_ok=True)
    drawn, problem = [], None
    for kind in (latency_against_size, cpu_against_subscribers, distribution):
        for name, curves, x_axis, y_axis in kind(rows):
            svg = picture.draw_svg(curves, x_axis, y_axis)
            with open(os.path.join(folder, name + '.svg'), 'w', encoding='utf-8') as f:
                f.write(svg)
            drawn.append(name)
            if problem is None:
                problem = write_png(svg, os.path.join(folder, name + '.png'))
    return drawn, problem


def write_png(svg, path):
    """Return: what was in the way, or None."""
    try:
        png = picture.convert_to_png(svg)
    except picture.CannotConvert as e:
        return str(e)
    with open(path, 'wb') as f:
        f.write(png)
    return None
