#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reader that is slow, stopped or frozen loses its own slices, counted, and nobody else's."""
import signal

from harness import (BIN, Reader, System, case, check, check_accounts, check_subscriber_account,
                     equal, find_sensor, find_subscriber, get_status, main, note, run, sensor,
                     wait_for)

# queues of others last 1.5 s: this is not about a machine that is busy elsewhere
SENSOR = {'sim_hz': 10, 'crc': 'yes', 'subscriber_slices': 636}


def unharmed(reader, slices):
    final = reader.finish()
    check(final['slices'] >= slices, f'only {final["slices"]} slices')
    for what in ('skipped', 'skipped_queue_full', 'violations', 'crc_wrong', 'restarts'):
        equal(final[what], 0, f'the other reader: {what}')
    overrun = drops_nothing(get_status())
    check(final['lost'] <= overrun,
          f'the other reader lost {final["lost"]} slices, of which {overrun} never were')


def drops_nothing(status):
    """Return: slices that never were: without a CPU for a second the sim skips revolutions."""
    dropped = dict(find_sensor(status, 'front')['dropped'])
    overrun = dropped.pop('overrun')
    equal(sum(dropped.values()), 0, f'dropped: {dropped}')
    return overrun


def others():
    return [Reader('front', '--check', '--crc', '--queue', 250, '--held', 4) for _ in range(2)]


def subscriber(system, reader):
    status = system.status()
    check_accounts(status)
    return find_subscriber(status, reader)


@case('a reader that takes nothing for a while: unseen grows, and becomes skipped when it goes on')
def stops_taking():
    system = System(sensor('front', **SENSOR))
    steady = others()
    lazy = Reader('front', '--check', '--queue', 8, '--held', 4)
    lazy.wait_slices(20)
    lazy.signal(signal.SIGUSR1)
    wait_for(lambda: subscriber(system, lazy)['unseen'] > 20, 'slices it does not see')
    # where a CPU was away for longer than its queue is long, there are some already
    skipped = subscriber(system, lazy)['skipped']
    wait_for(lambda: subscriber(system, lazy)['unseen'] > 200, 'more slices it does not see')
    account = subscriber(system, lazy)
    equal(account['waiting'], 8, 'waiting in its queue')
    equal(account['skipped'], skipped, 'skipped before it knows')
    lazy.signal(signal.SIGUSR2)
    wait_for(lambda: subscriber(system, lazy)['skipped']['queue_full'] >= 200, 'skipped slices')
    lazy.wait_slices(20)
    account = subscriber(system, lazy)
    final = lazy.finish()
    equal(final['violations'], 0, 'violations')
    equal(final['skipped_queue_full'], final['skipped'], 'skipped by its own count')
    check(final['skipped'] >= 200, 'skipped')
    equal(account['skipped']['queue_full'], final['skipped'], 'skipped in the status')
    for r in steady:
        unharmed(r, 200)


@case('a reader frozen for 10 s goes on, its loss counted to the slice; others lose nothing')
def frozen():
    system = System(sensor('front', **SENSOR))
    steady = others()
    reader = Reader('front', '--check', '--queue', 16, '--held', 4)
    reader.wait_slices(20)
    reader.freeze()
    start = find_sensor(system.status(), 'front')['published']
    before = system.status()['now_ns']
    wait_for(lambda: system.status()['now_ns'] - before > 10e9, '10 s to pass', 120)
    account = subscriber(system, reader)
    missed = find_sensor(system.status(), 'front')['published'] - start
    check(account['unseen'] + account['waiting'] >= missed - 20 > 500,
          f'{account["unseen"]} unseen of {missed}')
    reader.thaw()
    reader.wait_slices(40)
    wait_for(lambda: subscriber(system, reader)['unseen'] == 0, 'the reader to catch up')
    final = reader.finish()
    equal(final['violations'], 0, 'violations')
    equal(final['skipped_queue_full'], final['skipped'], 'skipped by its own count')
    equal(final['restarts'], 0, 'restarts')
    check(final['skipped'] >= account['unseen'], f'skipped {final["skipped"]}, unseen were '
                                                 f'{account["unseen"]}')
    note(f'frozen for 10 s: {final["skipped"]} of {missed} slices skipped, the rest were queued')
    for r in steady:
        unharmed(r, 500)


@case('a reader that holds all it may: its take fails, and others lose nothing')
def holds_all():
    system = System(sensor('front', **SENSOR))
    steady = others()
    greedy = Reader('front', '--check', '--queue', 8, '--held', 6, '--keep', 6)
    wait_for(lambda: greedy.stats()['too_many_held'] > 20, 'takes that fail')
    account = subscriber(system, greedy)
    equal(account['held'], 6, 'held')
    wait_for(lambda: subscriber(system, greedy)['unseen'] > 100, 'slices it does not see')
    # what it holds must not change meanwhile: --crc looked at it when it was taken
    greedy.signal(signal.SIGUSR2)
    greedy.wait_slices(20)
    final = greedy.finish()
    equal(final['violations'], 0, 'violations')
    for r in steady:
        unharmed(r, 50)


@case('as many frozen readers as the reservation carries: the sensor drops nothing')
def all_frozen():
    system = System(sensor('front', **SENSOR))
    steady = others()
    frozen_ones = [Reader('front', '--check', '--queue', 12, '--held', 20, '--keep', 18)
                   for _ in range(4)]
    for r in frozen_ones:
        wait_for(lambda p=r: p.stats()['kept'] == 18, 'the readers to hold what they may')
        r.freeze()
    front = find_sensor(system.status(), 'front')
    equal(front['reserved_slices'], 2 * 254 + 4 * 32, 'reserved slices')
    for r in steady:
        r.wait_slices(200)
    drops_nothing(system.status())
    check_accounts(system.status())
    status, text = run(f'{BIN}/test_reader', '--queue', '128', '--held', '4', 'front')
    equal(status, 1, 'one reader too many: exit status')
    check('ENOSPC' in text and 'subscriber_slices' in text, 'it is told which key: ' + text)
    for r in frozen_ones:
        r.thaw()
        r.wait_slices(10)
        equal(r.finish()['violations'], 0, 'violations')
    for r in steady:
        unharmed(r, 200)


@case('a slow reader of whole frames loses frames, not slices of others')
def slow_frames():
    system = System(sensor('front', **SENSOR))
    steady = others()
    slow = Reader('front', '--frames', '--slow', 200, '--queue', 16, '--held', 40)
    wait_for(lambda: slow.stats()['frames'] >= 8, '8 frames')
    check_subscriber_account(subscriber(system, slow))
    final = slow.finish()
    check(final['skipped_queue_full'] > 0, 'it skipped nothing')
    equal(final['violations'], 0, 'violations')
    for r in steady:
        unharmed(r, 200)


if __name__ == '__main__':
    main()
