# SPDX-License-Identifier: Apache-2.0
"""Ratios of one run beside a baseline: what bench/gate prints and judges.

Never a time: that says as much about the machine as about lidard.  A ratio of two
contenders of the same run, at the same work, says little about the machine.
"""
import collections
import json

import suite_instructions

KEYS = {'name', 'suite', 'figure', 'of', 'over', 'where', 'least', 'usual', 'most', 'brief'}
# value: None where it was not measured, with the reason in @why
Judged = collections.namedtuple('Judged', 'ratio value verdict why')


def cpu_sending(row):
    """Of producer and daemon, for a GB."""
    if row['cpu_s_per_gb_producer'] is None:
        return None
    return row['cpu_s_per_gb_producer'] + (row['cpu_s_per_gb_daemon'] or 0)


def cpu_all(row):
    """Of all processes, for a GB sent to all."""
    sending = cpu_sending(row)
    if sending is None or row['cpu_s_per_gb_subscriber'] is None:
        return None
    return sending + row['subscribers'] * row['cpu_s_per_gb_subscriber']


FIGURES = {'cpu_sending': cpu_sending, 'cpu_all': cpu_all, 'p50_us': lambda row: row['p50_us'],
           'ns_per_point': lambda row: row['ns_per_point'],
           'instructions_all': suite_instructions.count_all}


def read_baseline(path):
    """Return: ratios. Raises OSError, ValueError with what is wrong."""
    with open(path, encoding='utf-8') as f:
        try:
            ratios = json.load(f)['ratios']
        except (ValueError, KeyError, TypeError) as e:
            raise ValueError(f'{path}: not a baseline: {e}') from e
    for ratio in ratios:
        if set(ratio) != KEYS or ratio['figure'] not in FIGURES:
            raise ValueError(f'{path}: {ratio.get("name", ratio)}: a ratio has the keys '
                             f'{", ".join(sorted(KEYS))}, and a figure of {", ".join(FIGURES)}')
        if not 0 < ratio['least'] <= ratio['usual'] <= ratio['most']:
            raise ValueError(f'{path}: {ratio["name"]}: must be 0 < least <= usual <= most')
    return ratios


def find(rows, ratio, contender):
    """Return: the row and None; None and why there is none; a row and why it has no figures."""
    wanted = ratio['where'] | {'suite': ratio['suite'], 'contender': contender}
    for row in rows:
        if 'growth' in row or any(row.get(key) != value for key, value in wanted.items()):
            continue
        if row['error']:
            return None, f"{contender} failed: {row['error']}"
        return row, row.get('skipped')
    return None, f'{contender} was not measured'


def judge(rows, ratio):
    """One ratio of one run."""
    figures = []
    for name in (ratio['of'], ratio['over']):
        row, why = find(rows, ratio, name)
        if row and why:
            return Judged(ratio, None, 'not here', why)
        figure = FIGURES[ratio['figure']](row) if row else None
        if not figure:
            return Judged(ratio, None, 'missing', why or f'{name} has no {ratio["figure"]}')
        figures.append(figure)
    value = figures[0] / figures[1]
    if value > ratio['most']:
        return Judged(ratio, value, 'WORSE', None)
    return Judged(ratio, value, 'better' if value < ratio['least'] else 'as usual', None)


def better_of(a, b):
    """Of two runs: noise makes a ratio worse in one of them, what is worse is so in both."""
    if a.value is None or b.value is None:
        return b if a.value is None else a
    return min(a, b, key=lambda judged: judged.value)


def say(judged):
    ratio = judged.ratio
    value = '-' if judged.value is None else f'{judged.value:.3g}'
    verdict = judged.verdict if judged.why is None else f'{judged.verdict}: {judged.why}'
    return (f"| {ratio['name']} | {value} | {ratio['least']:g}-{ratio['most']:g} "
            f"({ratio['usual']:g}) | {verdict} |")


def to_table(all_judged):
    return '\n'.join(['| ratio | here | allowed (usual) | verdict |', '|---|---|---|---|',
                      *map(say, all_judged)])
