#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Points flow from a sensor to its readers: all of them, right, and counted."""
from harness import (Reader, System, call, case, check, check_accounts, check_sensor_account,
                     equal, find_sensor, find_subscriber, main, note, sensor, wait_for)


def settled_status(readers):
    """A status in which every reader has taken something."""
    def look():
        status = call('io.lidard.GetStatus')['parameters']['status']
        found = [find_subscriber(status, r) for r in readers]
        return status if all(s and s['received'] > 0 for s in found) else None
    return wait_for(look, 'every reader to take something')


def check_final(final, slices=1):
    check(final['slices'] >= slices, f'only {final["slices"]} slices came')
    for what in ('skipped', 'skipped_queue_full', 'skipped_policy', 'skipped_invalid', 'violations',
                 'crc_wrong', 'restarts'):
        equal(final[what], 0, f'reader {final["pid"]}: {what}')


@case('three readers lose nothing of 100 MB/s, and every CRC is right')
def three_readers():
    system = System(sensor('front', sim_rate='100M', slice_bytes='256K', crc='yes',
                           subscriber_slices=800))
    readers = [Reader('front', '--crc', '--check', '--queue', 250, '--held', 4)
               for _ in range(3)]
    for r in readers:
        r.wait_slices(800)
    check_accounts(settled_status(readers))
    for r in readers:
        final = r.finish()
        check_final(final, 800)
        equal(final['crc_checked'], final['slices'], 'slices with a CRC')
    front = find_sensor(system.status(), 'front')
    check_sensor_account(front)
    equal(front['state'], 'streaming', 'state')
    equal(front['restarts'], 0, 'restarts of the source')


@case('the account holds whenever it is looked at, at 500 MB/s')
def accounts_hold():
    system = System(sensor('front', sim_rate='500M', slice_bytes='1M', loans=16,
                           subscriber_slices=240))
    readers = [Reader('front', '--check', '--queue', 64, '--held', 4) for _ in range(3)]
    settled_status(readers)
    for _ in range(40):
        check_accounts(system.status())
        readers[0].wait_slices(10)
    status = settled_status(readers)
    front = find_sensor(status, 'front')
    seconds = (status['now_ns'] - status['started_ns']) / 1e9
    note(f'{front["bytes"] / seconds / 1e6:.0f} MB/s published, '
         f'{sum(front["dropped"].values())} of {front["produced"]} slices dropped')
    for r in readers:
        final = r.finish()
        equal(final['violations'], 0, 'violations')
        equal(final['slices'] + final['skipped'] + final['lost'] > 0, True, 'slices')


@case('slices of several sensors do not mix')
def several_sensors():
    System(sensor('front', sim_beams=64, sim_seed=1, crc='yes'),
           sensor('rear', sim_beams=32, sim_seed=2, crc='yes', slice_bytes='128K'),
           sensor('left', sim_beams=16, sim_columns=512, sim_seed=3, crc='yes',
                  slice_bytes='32K'))
    readers = {n: Reader(n, '--crc', '--check') for n in ('front', 'rear', 'left')}
    for r in readers.values():
        r.wait_slices(30)
    status = settled_status(readers.values())
    check_accounts(status)
    equal([s['name'] for s in status['sensors']], ['front', 'rear', 'left'], 'sensors')
    for name, r in readers.items():
        equal(find_subscriber(status, r)['sensor'], name, 'sensor of a subscriber')
        check_final(r.finish(), 30)


@case('the first slice of a frame is small where the configuration says so')
def small_first_slice():
    System(sensor('front', slice_bytes='256K', first_slice_bytes='8K', crc='yes'))
    reader = Reader('front', '--crc', '--check')
    reader.wait_slices(40)
    final = reader.finish()
    check_final(final, 40)
    check(0 < final['first_slice_bytes'] <= 8192, f'first slice: {final["first_slice_bytes"]}')


@case('latest only: a reader that is slow passes over slices, and counts them as policy')
def latest():
    system = System(sensor('front', sim_hz=20))
    reader = Reader('front', '--policy', 'latest', '--slow', 20, '--check', '--queue', 32)
    reader.wait_slices(30)
    check_accounts(settled_status([reader]))
    final = reader.finish()
    equal(final['violations'], 0, 'violations')
    # the reader counts from the first slice the library saw, which need not be the first it lent
    equal(final['skipped_policy'] + final['skipped_queue_full'], final['skipped'], 'passed over')
    check(final['skipped_policy'] > 0, 'nothing was passed over')
    check_sensor_account(find_sensor(system.status(), 'front'))


@case('latest only, whole frames: slices of frames passed over count as policy, never as taken')
def latest_frames():
    system = System(sensor('front', sim_hz=50))
    reader = Reader('front', '--policy', 'latest', '--frames', '--slow', 60, '--check',
                    '--queue', 64, '--held', 64)
    wait_for(lambda: reader.stats()['frames'] >= 20, '20 frames')
    check_accounts(settled_status([reader]))
    stats = reader.stats()
    equal(stats['received'], stats['slices'], 'received')
    final = reader.finish()
    equal(final['violations'], 0, 'violations')
    check(final['skipped_policy'] > 0, 'nothing was passed over')
    check_sensor_account(find_sensor(system.status(), 'front'))


@case('lossless: a reader that is fast enough loses nothing; a slow one is told')
def lossless():
    System(sensor('front', subscriber_slices=500))
    fast = Reader('front', '--policy', 'lossless', '--check', '--queue', 250)
    slow = Reader('front', '--policy', 'lossless', '--check', '--queue', 2, '--slow', 30)
    fast.wait_slices(300)
    check_accounts(settled_status([fast, slow]))
    check_final(fast.finish(), 300)
    final = slow.finish()
    equal(final['violations'], 0, 'violations')
    check(final['losses_reported'] > 0, 'the slow reader was told of no loss')
    check(final['skipped_queue_full'] > 0, 'the slow reader counted no loss')
    check(final['losses_reported'] <= final['skipped'], 'more losses told than there were')


@case('every way to wait gets every slice')
def wait_modes():
    System(sensor('front', crc='yes', subscriber_slices=512))
    for mode in ('block', 'spin', 'poll', 'fd'):
        reader = Reader('front', '--wait', mode, '--check', '--crc', '--queue', 250)
        reader.wait_slices(100)
        final = reader.finish()
        check_final(final, 100)
        note(f'{mode}: latency p50 {final["latency_p50_ns"] / 1e3:.0f} us, '
             f'p99 {final["latency_p99_ns"] / 1e3:.0f} us')


@case('whole frames arrive whole')
def frames():
    # 32 beams x 1024 columns x 32 bytes: a frame is 16 slices of 64K
    System(sensor('front', crc='yes', subscriber_slices=600))
    readers = [Reader('front', '--frames', '--crc', '--check', '--queue', 250, '--held', 40,
                      '--wait', mode) for mode in ('block', 'fd')]
    wait_for(lambda: all(r.stats()['frames'] >= 30 for r in readers), '30 frames')
    for r in readers:
        final = r.finish()
        check_final(final)
        # the first may have begun before we came
        check(final['incomplete_frames'] <= 1, f'{final["incomplete_frames"]} incomplete frames')
        equal(final['crc_checked'], final['slices'], 'slices with a CRC')


@case('frames with more slices than may be held are refused, not waited for')
def frame_too_large():
    System(sensor('front', slice_bytes='16K'))
    reader = Reader('front', '--frames', '--held', 4, '--queue', 16, connected=False)
    equal(reader.wait(), 1, 'exit status')
    equal(reader.events('error')[0]['errno'], 'EMSGSIZE', 'error')


@case('readers come and go while others read on')
def come_and_go():
    system = System(sensor('front', crc='yes', subscriber_slices=500))
    steady = Reader('front', '--check', '--crc', '--queue', 250)
    baseline = None
    for _ in range(10):
        reader = Reader('front', '--check')
        reader.wait_slices(5)
        check_final(reader.finish())
        wait_for(lambda: len(system.status()['subscribers']) == 1, 'the reader to be gone')
        reserved = find_sensor(system.status(), 'front')['reserved_slices']
        baseline = baseline or reserved
        equal(reserved, baseline, 'reserved slices')
    check_final(steady.finish(), 50)


if __name__ == '__main__':
    main()
