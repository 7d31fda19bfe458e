# SPDX-License-Identifier: Apache-2.0
"""Suite instructions: what handing a frame over costs, counted instead of timed.

Turns of suite fanout in a guest in which each instruction takes a nanosecond
(tests/vm/guest --count-instructions), so CPU time is a number of instructions, of user
space and kernel.  It says nothing about caches, but two runs differ by 0.2 %, on a busy
machine, too, so a small change is seen.
"""
import json
import os
import shlex
import subprocess
import sys

import rows
import suite_fanout

HERE = os.path.dirname(os.path.abspath(__file__))
TARGETS = suite_fanout.TARGETS
# those that copy nothing: what a copy costs is a matter of memory
NAMES = ['lidard', 'lidard-ahead', 'iceoryx', 'iceoryx-ahead', 'ring']
# a processor of 1 GHz has to do for all processes
SHAPES = [(64 << 10, 500), (1 << 20, 500), (50 << 20, 10)]
QUICK_SHAPES = [(1 << 20, 500)]
SUBSCRIBERS = [1, 4, 16]
FRAMES = 100
# While nobody in the guest has work its clock would be this machine's, and leap whenever that
# gives it no processor for long. Somebody always has.
NEVER_IDLE = "chrt --idle 0 sh -c 'while :; do :; done' &"
MEMORY = '6G'
WHO = ['producer', 'daemon', 'subscriber']
KEYS = [f'instructions_per_frame_{who}' for who in WHO] + ['guest', 'skipped']
GUESTS_CLOCK = 'emulated, 1 instruction in 1 ns, 1 CPU'


def read_contenders():
    return [c for c in suite_fanout.read_contenders() if c.name in NAMES]


def names():
    return NAMES


def packages():
    return ['iceoryx']


def make_growth(_):
    """Only of times."""
    return []


def failure_of(name, work):
    """What the line of a turn that failed begins with."""
    return f"FAILED {name} {work['bytes']} {work['hz']} {work['subscribers']} "


def turn_command(build, name, work, seconds):
    words = [f'{build}/tests/in-sandbox', f'--shm-bytes={suite_fanout.SHM_BYTES}', '--',
             f'{build}/bench/fanout/fanout', name, str(work['bytes']), str(work['hz']),
             str(work['subscribers']), str(seconds)]
    # who fails says so itself, in the last of its lines
    return (f'{shlex.join(words)} 2>/tmp/said || '
            f'echo "{failure_of(name, work)}$(tail -n 1 /tmp/said)"')


def play(plan, turns):
    """All (name, work) in one guest. Return: what it printed, and its exit status."""
    script = '\n'.join([NEVER_IDLE, *(
        turn_command(plan.build, name, work, plan.seconds or max(0.5, FRAMES / work['hz']))
        for name, work in turns)])
    done = subprocess.run([f'{HERE}/../tests/vm/guest', '--count-instructions', '--memory', MEMORY,
                           '--timeout', str(300 + 60 * len(turns)), '--share', plan.build, '--',
                           'sh', '-c', script], check=False, text=True, stdout=subprocess.PIPE)
    return done.stdout.splitlines(), done.returncode


def make_empty(plan, name, work, error=None, skipped=None):
    row = rows.make_failure('instructions', plan.machine, name, work, error)
    row.update(dict.fromkeys(KEYS), skipped=skipped)
    return row


def make_row(plan, work, counted):
    row = make_empty(plan, counted['contender'], work)
    if not counted['sent'] or not counted['taken']:
        row['error'] = 'no frame came'
        return row
    wanted = counted['due'] * work['subscribers']
    row.update(rounds=1, guest=GUESTS_CLOCK,
               loss_pct=100 * max(wanted - counted['taken'], 0) / wanted,
               instructions_per_frame_producer=counted['producer_cpu_ns'] / counted['sent'],
               instructions_per_frame_subscriber=counted['subscriber_cpu_ns'] / counted['taken'])
    if counted['has_daemon']:
        row['instructions_per_frame_daemon'] = counted['daemon_cpu_ns'] / counted['sent']
    return row


def find_row(plan, lines, name, work, status):
    for line in lines:
        if line.startswith(failure_of(name, work)):
            return make_empty(plan, name, work, error=line.removeprefix(failure_of(name, work)))
        if line.startswith('{'):
            counted = json.loads(line)
            if counted['contender'] == name and all(counted[key] == work[key] for key in work):
                return make_row(plan, work, counted)
    return make_empty(plan, name, work, error=f'the guest ended with {status}')


def make_work(plan):
    counts = plan.subscribers or ([2] if plan.quick else SUBSCRIBERS)
    shapes = plan.shapes or (QUICK_SHAPES if plan.quick else SHAPES)
    return [{'bytes': size, 'hz': hz, 'subscribers': count} for size, hz in shapes if hz
            for count in counts]


def run(plan):
    """Yields rows of the same work."""
    chosen = [name for name in NAMES if not plan.only or name in plan.only]
    work = make_work(plan)
    if not chosen or not work:
        return
    lines, status = play(plan, [(name, w) for w in work for name in chosen])
    for w in work:
        if status == 77:
            yield [make_empty(plan, name, w, skipped='needs a virtual machine') for name in chosen]
        else:
            yield [find_row(plan, lines, name, w, status) for name in chosen]


def count_all(row):
    """Of all processes for a frame; None: not known."""
    if row['instructions_per_frame_producer'] is None:
        return None
    return (row['instructions_per_frame_producer'] + (row['instructions_per_frame_daemon'] or 0) +
            row['subscribers'] * row['instructions_per_frame_subscriber'])


HEADER = ['| | instructions a frame: producer | daemon | each subscriber | all | over iceoryx | '
          'lost % |', '|---|---|---|---|---|---|---|']


def to_line(row, iceoryx):
    if row['error'] or row['skipped']:
        why = f"failed: {row['error']}" if row['error'] else f"not here: {row['skipped']}"
        return f"| {row['contender']} | {why} |" + ' |' * 5
    total = count_all(row)
    over = f'{total / iceoryx:.3f}' if iceoryx else '-'
    cells = [row['contender'], *(rows.say(row[f'instructions_per_frame_{who}'], 0) for who in WHO),
             rows.say(total, 0), over, rows.say(row['loss_pct'], 1)]
    return '| ' + ' | '.join(cells) + ' |'


def to_table(group):
    """Markdown, for rows of the same work."""
    one = group[0]
    iceoryx = next((count_all(row) for row in group if row['contender'] == 'iceoryx'), None)
    return '\n'.join([f"**{rows.say_bytes(one['bytes'])} at {one['hz']} Hz, "
                      f"{rows.say_subscribers(one)}: {GUESTS_CLOCK}**", '', *HEADER,
                      *(to_line(row, iceoryx) for row in group), ''])
