#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who dies: a reader, lidard, RouDi. Nobody else does, and nothing stays lost."""
import contextlib
import glob
import os
import signal
import time

from harness import (Skip, BIN, Reader, Reclaimer, Roudi, System, case, check,
                     check_accounts, equal, find_sensor, find_subscriber, is_sanitized,
                     lidard, main, note, reserved, run, sensor, used_chunks, wait_for)

SENSOR = {'sim_hz': 10, 'crc': 'yes', 'subscriber_slices': 500}
# iceoryx may lose one when a process dies inside a take (60 kills: 1)
LEAK_MAX = 1


def quiet_used(system, most, what):
    """Wait until no more chunks are taken; RouDi says so once a second. Return: seconds."""
    started = time.monotonic()
    # what the source has in hand comes and goes
    wait_for(lambda: used_chunks(system.status()) <= most, what)
    return time.monotonic() - started


def baseline_used(system):
    """Chunks in use with nobody reading: loans, and the last of each publisher."""
    front = find_sensor(system.status(), 'front')
    return front['loans']['configured'] + 2 * ((front['loans']['configured'] + 7) // 8)


def kill_holder(system, keep, user=None):
    """A reader that holds slices, killed. Return: seconds until all came back."""
    before = reserved(system.status())
    reader = Reader('front', '--queue', 32, '--held', keep + 2, '--keep', keep, user=user)
    wait_for(lambda: reader.stats()['kept'] == keep, f'the reader to keep {keep} slices')
    equal(reserved(system.status()), before + 32 + keep + 2, 'reserved slices')
    wait_for(lambda: used_chunks(system.status()) >= keep, 'the pools to show what is held')
    started = time.monotonic()
    reader.kill()
    wait_for(lambda: reserved(system.status()) == before, 'the reservation to come back')
    return time.monotonic() - started


@case('kill -9 of a reader that holds slices: reservation and memory come back')
def kill_reader():
    system = System(sensor('front', **SENSOR))
    steady = Reader('front', '--check', '--crc', '--queue', 250, '--held', 4)
    # the other reader's queue is short most of the time
    most = baseline_used(system) + 20
    seconds = kill_holder(system, 80)
    shown = quiet_used(system, most, 'the chunks to come back')
    note(f'reservation back after {seconds * 1e3:.0f} ms; RouDi shows the chunks free '
         f'{shown * 1e3:.0f} ms later (it looks once a second)')
    status = system.status()
    check_accounts(status)
    equal(status['transport']['reclaimed_clients'], 1, 'reclaimed clients')
    final = steady.finish()
    equal(final['skipped'], 0, 'slices the other reader missed')
    equal(final['violations'], 0, 'violations of the other reader')


@case('the same for a reader of another user, freed by lidard-reclaim as root')
def kill_foreign_reader():
    with Reclaimer():
        system = System(sensor('front', **SENSOR), users=True)
        seconds = kill_holder(system, 40, user='lidar-reader')
        shown = quiet_used(system, baseline_used(system) + LEAK_MAX, 'the chunks to come back')
        note(f'reservation back after {seconds * 1e3:.0f} ms, shown {shown * 1e3:.0f} ms later')
        reader = Reader('front', '--check', '--crc', user='lidar-reader')
        reader.wait_slices(20)
        final = reader.finish()
        equal(final['violations'], 0, 'violations')
        check_accounts(system.status())


@case('20 kills in a row leak nothing')
def many_kills():
    system = System(sensor('front', **SENSOR))
    steady = Reader('front', '--check', '--queue', 250, '--held', 4)
    times = [kill_holder(system, 60) for _ in range(20)]
    times.sort()
    note(f'20 kills: reservation back after {times[0] * 1e3:.0f} to {times[-1] * 1e3:.0f} ms, '
         f'median {times[10] * 1e3:.0f} ms')
    final = steady.finish()
    equal(final['skipped'], 0, 'slices the other reader missed')
    quiet_used(system, baseline_used(system) + LEAK_MAX, 'the chunks of all readers to come back')
    for name in ('clients', 'dead'):
        wait_for(lambda n=name: not os.listdir('/run/lidard/' + n), f'the journal of {name}')
    wait_for(lambda: reserved(system.status()) == 0, 'the reservations to come back')


@case('a reader killed while lidard is down is freed by the next lidard')
def kill_while_down():
    system = System(sensor('front', **SENSOR))
    reader = Reader('front', '--queue', 32, '--held', 66, '--keep', 60)
    wait_for(lambda: reader.stats()['kept'] == 60, 'the reader to keep 60 slices')
    system.lidard.kill()
    reader.kill()
    system.succeed()
    quiet_used(system, baseline_used(system) + LEAK_MAX, 'the chunks to come back')
    wait_for(lambda: not os.listdir('/run/lidard/dead'), 'the journal of the dead to be empty')


@case('readers that end in the middle of it all end cleanly, and so do their children')
def end_in_the_middle():
    system = System(sensor('front', sim_rate='100M', slice_bytes='16K', sim_beams=16))
    # under a sanitizer iceoryx is part of the host process, and its destructors run
    leave, fork = ([], []) if is_sanitized() else (['--leave'], ['--fork'])
    for turn in range(12):
        readers = [Reader('front', '--wait', 'fd' if turn % 2 else 'block', '--keep', 3,
                          '--queue', 16, '--held', 4, '--count', 200, *leave,
                          *(fork if turn < 2 else []), connected=False) for _ in range(4)]
        for r in readers:
            status = r.wait()
            check(status == 0, f'reader {r.pid} ended with {status}: {r.output()[-200:]}')
        wait_for(lambda: reserved(system.status()) == 0, 'the reservations to come back')
    quiet_used(system, baseline_used(system), 'the chunks to come back')


def resumed_gap(reader, count):
    return reader.wait_event('resumed', count)['gap_ns'] / 1e6


@case('kill -9 of lidard: the same readers go on when it is back')
def kill_lidard():
    system = System(sensor('front', **SENSOR))
    readers = [Reader('front', '--check', '--crc', '--wait', w) for w in ('block', 'fd')]
    holder = Reader('front', '--held', 24, '--keep', 20, '--check')
    for r in readers:
        r.wait_slices(20)
    for turn in range(1, 4):
        system.lidard.kill()
        started = time.monotonic()
        if system.succeed() and is_sanitized():
            return
        up = time.monotonic() - started
        gaps = [resumed_gap(r, turn) for r in readers]
        note(f'restart {turn}: lidard ready after {up * 1e3:.0f} ms (its start is ours), readers '
             f'saw a gap of {gaps[0]:.0f} and {gaps[1]:.0f} ms')
        for r in readers:
            r.wait_slices(20)
        wait_for(lambda: all(find_subscriber(system.status(), r) for r in readers + [holder]),
                 'the readers to be subscribed again')
        check_accounts(system.status())
    equal(find_subscriber(system.status(), readers[0])['restarts'], 3, 'restarts in the status')
    for r in readers + [holder]:
        final = r.finish()
        equal(final['restarts'], 3, 'restarts')
        equal(final['violations'], 0, 'violations')
        equal(final['crc_wrong'], 0, 'wrong CRCs')


def count_payloads(reader):
    """How many RouDis' payload does it keep, mapped or open?"""
    inodes = set()
    for link in glob.glob(f'/proc/{reader.pid}/fd/*') + glob.glob(f'/proc/{reader.pid}/map_files/*'):
        with contextlib.suppress(FileNotFoundError):  # closed or unmapped by now
            path = os.readlink(link)
            if path.startswith('/dev/shm/') and 'iceoryx_mgmt' not in path:
                inodes.add(os.stat(link).st_ino)
    return len(inodes)


@case('kill -9 of RouDi: lidard ends with 75, and the same reader goes on, three times')
def kill_roudi():
    if is_sanitized():
        raise Skip('iceoryx is loaded plainly')
    system = System(sensor('front', **SENSOR))
    reader = Reader('front', '--check', '--crc')
    holder = Reader('front', '--held', 12, '--keep', 8, '--check')
    for turn in range(1, 4):
        reader.wait_slices(20)
        system.roudi.kill()
        started = time.monotonic()
        equal(system.lidard.wait(), 75, 'exit status of lidard')
        ended = time.monotonic() - started
        check('RouDi is gone' in system.lidard.errors(), 'lidard says why: '
              + system.lidard.errors()[-200:])
        system.restart_all()
        gap = resumed_gap(reader, turn)
        note(f'RouDi {turn}: lidard ended after {ended * 1e3:.0f} ms; the reader saw a gap of '
             f'{gap:.0f} ms, RouDi\'s start included')
    reader.wait_slices(20)
    wait_for(lambda: find_subscriber(system.status(), holder), 'the holder to subscribe again')
    check_accounts(system.status())
    # it has looked at slices of the last RouDi, and the payload of the first it still holds
    holder.wait_slices(1)
    equal((count_payloads(reader), count_payloads(holder)), (1, 2), 'payloads kept')
    holder.signal(signal.SIGUSR2)
    wait_for(lambda: count_payloads(holder) == 1, 'what was kept to be released')
    for r in (reader, holder):
        final = r.finish()
        equal(final['restarts'], 3, 'restarts')
        equal(final['violations'], 0, 'violations')


@case('RouDi replaced behind the back of lidard: it notices, and ends with 75')
def replace_roudi():
    system = System(sensor('front', **SENSOR))
    system.lidard.freeze()
    system.roudi.clear()
    system.roudi = Roudi()
    system.lidard.thaw()
    equal(system.lidard.wait(), 75, 'exit status of lidard')
    check('replaced' in system.lidard.errors(), 'lidard says why')


@case('RouDi hangs: the probe ends by SIGALRM, a new lidard refuses to start and says why')
def hung_roudi():
    system = System(sensor('front', **SENSOR))
    reader = Reader('front', '--check')
    reader.wait_slices(20)
    system.roudi.freeze()
    status, _ = run(f'{BIN}/lidard', '--probe-roudi')
    equal(status, -signal.SIGALRM, 'exit status of lidard --probe-roudi')
    # what runs goes on, until lidard's own probe finds out
    reader.wait_slices(20)
    equal(system.lidard.wait(), 75, 'exit status of the running lidard')
    check('does not answer' in system.lidard.errors(), 'lidard says why')
    status, text = lidard()
    equal(status, 75, 'exit status of a new lidard')
    check('RouDi is there but does not answer' in text, 'it says why: ' + text[-300:])
    check('SIGKILL' in text, 'and what to do: ' + text[-300:])
    system.restart_all()
    if not is_sanitized():
        note(f'the reader saw a gap of {resumed_gap(reader, 1):.0f} ms')
        reader.wait_slices(20)
        equal(reader.finish()['violations'], 0, 'violations')


@case('lidard killed again and again inside its work: readers resume, or RouDi is restarted')
def kill_lidard_at_work():
    system = System(sensor('front', sim_rate='50M', slice_bytes='16K', sim_beams=16,
                           subscriber_slices=512))
    readers = [Reader('front', '--check', '--queue', 32, '--held', 4, '--patient')
               for _ in range(3)]
    hung = 0
    for _ in range(6):
        for r in readers:
            r.wait_slices(50)
        system.lidard.kill()
        if system.succeed():
            hung += 1
            if is_sanitized():
                return
    note(f'6 kills of lidard under load: RouDi hung {hung} times')
    for r in readers:
        r.wait_slices(50)
        final = r.finish()
        equal(final['violations'], 0, 'violations')
        equal(final['restarts'], 6, 'restarts')


@case('readers leave after lidard was killed at work, though it left their queues locked')
def leave_locked_queue():
    if is_sanitized():
        raise Skip('iceoryx is loaded plainly')  # its destructors would wait for the lock
    longest = 0
    for _ in range(4):
        system = System(sensor('front', sim_rate='50M', slice_bytes='16K', sim_beams=16,
                               subscriber_slices=512))
        readers = [Reader('front', '--wait', 'fd', '--queue', 16, '--held', 4) for _ in range(4)]
        for r in readers:
            r.wait_slices(50)
        system.lidard.kill()
        started = time.monotonic()
        for r in readers:
            r.signal(signal.SIGTERM)
        for r in readers:
            equal(r.wait(), 0, 'exit status of a reader')
        longest = max(longest, time.monotonic() - started)
        system.roudi.clear()
    note(f'the slowest left after {longest * 1e3:.0f} ms')


@case('SIGTERM of lidard: it ends at once, and readers wait for the next')
def terminate_lidard():
    system = System(sensor('front', **SENSOR))
    reader = Reader('front', '--check')
    reader.wait_slices(20)
    started = time.monotonic()
    equal(system.lidard.terminate(5), 0, 'exit status of lidard')
    note(f'SIGTERM: ended after {(time.monotonic() - started) * 1e3:.0f} ms')
    check(not os.path.exists('/run/lidard/control'), 'the socket is still there')
    system.restart_lidard()
    note(f'the reader saw a gap of {resumed_gap(reader, 1):.0f} ms')
    reader.wait_slices(20)
    final = reader.finish()
    equal(final['violations'], 0, 'violations')
    check_accounts(system.status())


@case('SIGTERM of lidard while RouDi hangs: it still ends')
def terminate_while_hung():
    system = System(sensor('front', **SENSOR))
    system.roudi.freeze()
    started = time.monotonic()
    system.lidard.terminate(30)
    seconds = time.monotonic() - started
    note(f'ended after {seconds * 1e3:.0f} ms with {system.lidard.process.returncode}')
    check(seconds < 15, f'took {seconds:.1f} s')


@case('a killed reader and its successor of the same pid do not meet')
def names():
    system = System(sensor('front', **SENSOR))
    reader = Reader('front')
    first = set(os.listdir('/run/lidard/clients'))
    equal(len(first), 1, 'entries in the journal')
    reader.kill()
    wait_for(lambda: not os.listdir('/run/lidard/clients'), 'the journal to be empty')
    with contextlib.suppress(OSError):
        with open('/proc/sys/kernel/ns_last_pid', 'w', encoding='ascii') as f:
            f.write(str(reader.pid - 1))
    again = Reader('front', '--check')
    check(first.isdisjoint(os.listdir('/run/lidard/clients')), 'a name was given twice')
    again.wait_slices(10)
    equal(again.finish()['violations'], 0, 'violations')
    check_accounts(system.status())


if __name__ == '__main__':
    main()
