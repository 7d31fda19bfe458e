#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lidar_sim does what it is told: faults, feeds, plugs; and lidar_ring counts it.

As root, with the modules loaded and configfs mounted.
"""
import contextlib
import os
import random
import select
import sys
import time

import ring

SLICE = 1 << 16
tap = ring.Tap()


def streaming(sim, **setup):
    r = sim.open()
    r.setup(setup.get('memory', ring.KERNEL), setup.get('slots', 32), SLICE)
    r.start()
    return r


def grown(before, after, *names):
    return [after[n] - before[n] for n in names]


def test_faults(sim):
    r = streaming(sim)
    r.take(3)
    before = r.stats()
    sim.set('drop', 3)
    tap.check('slices that the device drops are missing', sum(d['lost_before'] for d in r.take(50)), 3)
    tap.check('and it is the device that lost them', grown(before, r.stats(), 'lost_device', 'lost_no_slot'), [3, 0])
    sim.set('short', 2)
    short = [d['bytes'] for d in r.take(50) if d['flags'] & ring.SHORT]
    tap.check('short slices are flagged, and half as long', short, [SLICE // 2] * 2)
    before = r.stats()
    sim.set('fail', 3)
    tap.check('slices with an error are missing', sum(d['lost_before'] for d in r.take(50)), 3)
    tap.check('and counted as such', grown(before, r.stats(), 'lost_error', 'lost_device', 'lost_no_slot'), [3, 0, 0])
    for ticks in (50000000, -50000000, 1 << 62, -(1 << 62)):
        sim.set('clock_step_ticks', ticks)
        steps = sum(bool(d['flags'] & ring.CLOCK_STEP) for d in r.take(50))
        tap.check(f'a step of the clock by {ticks} ticks is seen once', steps, 1)
    sim.set('late_irq_us', 300000)
    r.take(34)
    desc = r.get()
    late_ns = time.monotonic_ns() - desc['last_byte_ns']
    tap.check('a late interrupt is known from the time of the last byte', late_ns >= 300000000, True)
    r.release(desc)
    sim.set('late_irq_us', 0)
    sim.set('stall_ms', 700)
    begin = time.monotonic()
    descs = r.take(80)
    tap.check('a stall delays', time.monotonic() - begin > 0.6, True)
    tap.check('but loses nothing', sum(d['lost_before'] for d in descs), 0)
    r.close()


def test_losses_for_want_of_slots(sim):
    r = streaming(sim, slots=4)
    before = r.stats()
    held = [r.get() for _ in range(4)]
    time.sleep(0.5)
    for desc in held:
        r.release(desc)
    desc = r.get()
    tap.check('seq shows what found no slot', desc['seq'] - held[-1]['seq'] - 1, desc['lost_before'])
    tap.check('there was something', desc['lost_before'] > 0, True)
    lost = grown(before, r.stats(), 'lost_no_slot', 'lost_device')
    tap.check('and it was for want of slots', [lost[0] >= desc['lost_before'], lost[1]], [True, 0])
    r.stop()
    r.drain()
    stats = r.stats()
    tap.check('a starved device is counted', stats['starved'] > before['starved'], True)
    r.close()


def test_two_causes(sim):
    """One gap: some lost in the device, others for want of a slot, others for an error."""
    r = streaming(sim, slots=4)
    before = r.stats()
    descs = [r.get() for _ in range(4)]
    lost = int(sim.get('lost'))
    sim.set('drop', 7)
    while int(sim.get('lost')) < lost + 20:
        time.sleep(0.01)
    sim.set('fail', 2)
    for desc in descs:
        r.release(desc)
    descs += r.take(20)
    r.stop()
    with contextlib.suppress(OSError):
        while True:
            descs.append(r.get(0))
    gaps = [d['lost_before'] for d in descs]
    grew = grown(before, r.stats(), 'lost_device', 'lost_error', 'lost_no_slot')
    tap.check('a gap has as many causes as it has', grew, [7, 2, sum(gaps) - 9])
    tap.check('in one gap', max(gaps) >= 22, True)
    r.close()


def test_broken_device(sim):
    r = streaming(sim)
    before = r.stats()
    sim.set('fail', 1000)
    poll = select.poll()
    poll.register(r.fd, select.POLLPRI)
    tap.check('a device that does nothing but fail is halted', bool(poll.poll(20000)), True)
    tap.check('after 64 times', 64 <= r.stats()['lost_error'] - before['lost_error'] < 128, True)
    sim.set('fail', 0)
    r.stop()
    r.drain()
    r.start()
    tap.check('and may be started again', r.get()['seq'], 0)
    r.close()


def test_feed(tmp):
    sim = ring.Sim(tmp, source='feed', format='packets', rate_bytes_per_s=0, slice_bytes=SLICE)
    r = sim.open()
    r.setup(ring.KERNEL, 8, SLICE)
    data = r.map_data(8 * SLICE)
    feed = os.open(f'/dev/lidar_sim_{tmp}', os.O_WRONLY | os.O_NONBLOCK)
    rnd = random.Random(1)
    fed = [rnd.randbytes(rnd.randrange(1, SLICE + 1)) for _ in range(40)]
    sent = 0
    while not ring.failure(os.write, feed, fed[sent]):
        sent += 1
    tap.check('a feed that nobody reads blocks', ring.failure(os.write, feed, b'x'), 'EAGAIN')
    r.start()
    got = []
    for n in range(len(fed)):
        while sent < len(fed) and not ring.failure(os.write, feed, fed[sent]):
            sent += 1
        desc = r.get()
        got.append((desc['seq'], data[desc['offset']:desc['offset'] + desc['bytes']]) == (n, fed[n]))
        r.release(desc)
    tap.check('what is fed is what comes', got, [True] * len(fed))
    tap.check('no slice is longer than it may be', ring.failure(os.write, feed, bytes(SLICE + 1)), 'EINVAL')
    tap.check('nor empty', ring.failure(os.write, feed, b''), 'EINVAL')
    sim.set('live', 0)
    poll = select.poll()
    poll.register(feed, select.POLLOUT)
    tap.check('a feed ends with its device', ring.failure(os.write, feed, b'x'), 'ENODEV')
    tap.check('and says so', poll.poll(0), [(feed, select.POLLERR | select.POLLHUP)])
    os.close(feed)
    data.close()
    r.close()
    sim.remove()


def test_busy(sim):
    r = streaming(sim, slots=8)
    r.take(3)
    r.stop()
    r.drain()
    sim.set('busy', 50)
    tap.check('a device that takes nothing for a moment starts', ring.failure(r.start), '')
    tap.check('and streams', r.take(20)[0]['seq'], 0)
    r.stop()
    r.drain()
    sim.set('busy', 1000000)
    r.start()
    poll = select.poll()
    poll.register(r.fd, select.POLLPRI)
    tap.check('one that takes nothing for ever is halted', bool(poll.poll(20000)), True)
    tap.check('after 100 times', 100 < 1000000 - int(sim.get('busy')) < 110, True)
    sim.set('busy', 0)
    r.close()


def test_stuck(sim):
    r = streaming(sim, slots=8)
    r.take(3)
    sim.set('stuck', 2)
    tap.check('a device that does not stop fails STOP', ring.failure(r.stop), 'EIO')
    tap.check('and is halted', r.info()['state'], ring.HALTED)
    tap.check('its slots are its own', ring.FILLING in r.states(8), True)
    tap.check('it does not start', ring.failure(r.start), 'EBUSY')
    time.sleep(0.3)
    tap.check('STOP may be tried again', [ring.failure(r.stop), ring.failure(r.stop)], ['EIO', ''])
    tap.check('and succeed', [r.info()['state'], ring.FILLING in r.states(8)], [ring.STOPPED, False])
    r.drain()
    r.start()
    tap.check('then all is as before', r.take(20)[0]['seq'], 0)
    sim.set('stuck', 1)
    tap.check('once more', ring.failure(r.stop), 'EIO')
    r.close()
    r = streaming(sim)
    tap.check('the last close tries again, too', len(r.take(3)), 3)
    r.close()


def test_no_synchronize():
    sim = ring.Sim('test_no_sync', no_synchronize=1)
    tap.check('what cannot wait for its end is not used', sim.get('device'), '')
    sim.set('live', 0)
    sim.set('no_synchronize', 0)
    sim.set('live', 1)
    tap.check('what can is', sim.get('device').startswith('lidar'), True)
    sim.remove()


def test_plug(sim):
    path = sim.path()
    for n in range(10):
        r = streaming(sim)
        r.take(n)
        sim.set('unplug', 1)
        tap.check('an unplugged device is gone', [ring.failure(r.get), ring.failure(r.info)], ['ENODEV'] * 2)
        sim.set('live', 0)
        sim.set('live', 1)
        tap.check('and comes back under its name, though its old file is open', sim.path(), path)
        r.close()


def test_settings(sim):
    for key, value in (('slice_bytes', 4096), ('pattern', 'full'), ('crc', 0), ('format', 'points'),
                       ('source', 'feed'), ('slices_per_frame', 3)):
        tap.check(f'{key} does not change while it lives', ring.failure(sim.set, key, value), 'EBUSY')
    sim.set('live', 0)
    for key, value in (('slice_bytes', 0), ('slice_bytes', 33), ('slice_bytes', (64 << 20) + 32),
                       ('slices_per_frame', 0), ('pattern', 'odd'), ('live', 'x'), ('drop', -1)):
        tap.check(f'{key} is not {value}', ring.failure(sim.set, key, value), 'EINVAL')
    tap.check('slices_per_frame has a limit', ring.failure(sim.set, 'slices_per_frame', 65536), 'ERANGE')
    tap.check('what is not there cannot be unplugged', ring.failure(sim.set, 'unplug', 1), 'ENODEV')


def main():
    # slow enough for a machine that is emulated and shared: else it loses slices by itself
    sim = ring.Sim('test_sim', rate_bytes_per_s=4000000, slice_bytes=SLICE, crc=0)
    try:
        test_faults(sim)
        test_losses_for_want_of_slots(sim)
        test_two_causes(sim)
        test_broken_device(sim)
        test_busy(sim)
        test_stuck(sim)
        test_plug(sim)
        test_settings(sim)
    finally:
        sim.remove()
    test_no_synchronize()
    test_feed('test_feed')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
