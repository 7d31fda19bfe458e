#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""dma-bufs of a ring in the hands of another device, that of kmod/tests/lidar_import.c.

What it sees, by its own bus addresses and by the CPU's, is the slice whose CRC
the LIDAR told, in whatever order things are made and undone, also when the ring
or the LIDAR goes in between, and in another process.

As root, with the modules loaded and configfs mounted.  A machine that bounces
all DMA (swiotlb=force) shows missing syncs.
"""
import itertools
import os
import random
import signal
import socket
import sys

import ring
from importer import BIDIRECTIONAL, FROM_DEVICE, TO_DEVICE, Importer

SLICE = 1 << 16
SLOTS = 4
WALK = 1500  # steps
tap = ring.Tap()


def streaming(sim):
    r = sim.open()
    r.setup(ring.KERNEL, SLOTS, SLICE)
    r.start()
    return r


class Ends:
    """The ways in which a ring may go."""

    @staticmethod
    def stop(_sim, r):
        r.stop()
        r.close()

    @staticmethod
    def close(_sim, r):
        r.close()

    @staticmethod
    def unplug(sim, r):
        sim.set('live', 0)
        sim.set('live', 1)
        r.close()


ENDS = [Ends.stop, Ends.close, Ends.unplug]


def sees(importer, desc, at=0):
    """What device and CPU, as far as it is mapped for them, see of a slice: is it that?"""
    seen = []
    for as_cpu in (0, 1):
        try:
            seen.append(importer.crc(at, desc['bytes'], as_cpu) == desc['crc32c'])
        except OSError:
            pass
    return seen


def test_slices(sim):
    r = streaming(sim)
    whole = r.export(ring.EXPORT_RING)
    importer = Importer()
    importer.get(whole)
    importer.attach()
    importer.map()
    importer.vmap()
    wrong = {'device': 0, 'CPU': 0}
    for _ in range(50):
        desc = r.get()
        importer.begin()
        wrong['CPU'] += importer.crc(desc['offset'], desc['bytes'], 1) != desc['crc32c']
        importer.end()
        wrong['device'] += importer.crc(desc['offset'], desc['bytes'], 0) != desc['crc32c']
        r.release(desc)
    tap.check('a ring that is mapped once shows each slice, synced', wrong, {'device': 0, 'CPU': 0})
    importer.close()
    good = 0
    for _ in range(50):
        desc = r.get()
        importer = Importer()
        fd = r.export(ring.EXPORT_SLOT, desc['offset'])
        importer.get(fd)
        os.close(fd)
        importer.attach()
        importer.map()
        importer.vmap()
        good += sees(importer, desc) == [True, True]
        importer.close()
        r.release(desc)
    tap.check('a slot that is mapped when it is full shows its slice', good, 50)
    os.close(whole)
    r.close()


def test_segments(sim):
    r = streaming(sim)
    fd = r.export(ring.EXPORT_RING)
    desc = r.get()
    for longest in (4096, 8192, 12288, 1 << 16, 1 << 20, 0x7fffffff):
        importer = Importer()
        importer.get(fd)
        importer.attach(longest)
        count = importer.map()
        fewest = -(-SLOTS * SLICE // longest)
        tap.check(f'no segment is longer than {longest} bytes, and there are no more than pages',
                  fewest <= count <= SLOTS * SLICE // 4096, True)
        tap.check('and the slice is in them', sees(importer, desc, desc['offset']), [True])
        importer.close()
    importer = Importer()
    importer.get(fd)
    importer.attach(2048)
    tap.check('a device that cannot take a page gets nothing', ring.failure(importer.map), 'EINVAL')
    importer.close()
    os.close(fd)
    r.close()


def test_directions(sim):
    r = streaming(sim)
    desc = r.get()
    importer = Importer()
    fd = r.export(ring.EXPORT_SLOT, desc['offset'])
    importer.get(fd)
    importer.attach()
    tap.check('nobody maps it only to write', ring.failure(importer.map, FROM_DEVICE), 'EACCES')
    for direction in (TO_DEVICE, BIDIRECTIONAL):
        importer.map(direction)
        tap.check(f'direction {direction} will do', sees(importer, desc), [True])
        importer.unmap()
    importer.close()
    os.close(fd)
    r.close()


MAKE = [('attach', 'map', 'vmap'), ('vmap', 'attach', 'map'), ('attach', 'vmap', 'map')]
UNDO = [p for p in itertools.permutations(('unmap', 'detach', 'vunmap'))
        if p.index('unmap') < p.index('detach')]


def run_order(sim, make, undo, end, stage):
    """Make and undo, the ring ends before step stage. Return: was all seen as it should be?"""
    r = streaming(sim)
    desc = r.get()
    importer = Importer()
    fd = r.export(ring.EXPORT_SLOT, desc['offset'])
    importer.get(fd)
    os.close(fd)
    good = True
    for number, step in enumerate(make + undo):
        if number == stage:
            end(sim, r)
        good &= all(sees(importer, desc))
        getattr(importer, step)()
        if number == len(make) - 1:
            good &= sees(importer, desc) == [True, True]
            importer.begin()
            importer.end()
            good &= sees(importer, desc) == [True, True]
    importer.put()
    importer.close()
    return good


def test_orders(sim):
    for end in ENDS:
        bad = [(make, undo, stage) for make in MAKE for undo in UNDO
               for stage in range(len(make + undo))
               if not run_order(sim, make, undo, end, stage)]
        tap.check(f'each order of things, the ring ends by {end.__name__} within', bad, [])


class Walker:
    """An importer and what it should be able to do."""

    def __init__(self, fd, desc):
        self.importer = Importer()
        self.desc = desc
        self.importer.get(fd)
        self.attached = self.mapped = self.vmapped = False

    def can(self, step):
        return {'attach': not self.attached, 'map': self.attached and not self.mapped,
                'unmap': self.mapped, 'detach': self.attached and not self.mapped,
                'vmap': not self.vmapped, 'vunmap': self.vmapped, 'begin': True, 'end': True,
                'put': not self.attached and not self.vmapped}[step]

    def take(self, step):
        """Return: whether it ended as it should."""
        can = self.can(step)
        if ring.failure(getattr(self.importer, step)) != ('' if can else 'EINVAL'):
            return False
        if can and step in ('attach', 'detach'):
            self.attached = step == 'attach'
        elif can and step in ('map', 'unmap'):
            self.mapped = step == 'map'
        elif can and step in ('vmap', 'vunmap'):
            self.vmapped = step == 'vmap'
        return sees(self.importer, self.desc) == [True] * (self.mapped + self.vmapped)


STEPS = ['attach', 'map', 'unmap', 'detach', 'vmap', 'vunmap', 'begin', 'end']


def test_walk(sim):
    """Some importers of one ring, all at once, in no order; rings come and go."""
    rnd = random.Random(1)
    walkers, r, bad = [], None, []
    for number in range(WALK):
        if r is None:
            r = streaming(sim)
            desc = r.get()
        if len(walkers) < 4:
            fd = r.export(ring.EXPORT_SLOT, desc['offset'])
            walkers.append(Walker(fd, desc))
            os.close(fd)
        choice = rnd.randrange(100)
        walker = rnd.choice(walkers)
        if choice == 0:
            rnd.choice(ENDS)(sim, r)
            r = None
        elif choice < 5:
            walker.importer.close()
            walkers.remove(walker)
        else:
            step = rnd.choice(STEPS)
            if not walker.take(step):
                bad.append((number, step))
    for walker in walkers:
        walker.importer.close()
    if r:
        r.close()
    tap.check(f'{WALK} steps of importers that know nothing of each other', bad, [])


def other_process(sock):
    """What the child does with the dma-buf it is sent. Does not return."""
    status = 1
    try:
        data, fds, _, _ = socket.recv_fds(sock, 64, 1)
        crc, size = (int(x) for x in data.split())
        importer = Importer()
        importer.get(fds[0])
        importer.attach()
        importer.map()
        importer.vmap()
        sock.send(b'mapped')
        sock.recv(16)
        desc = {'bytes': size, 'crc32c': crc}
        sock.send(b'right' if sees(importer, desc) == [True, True] else b'wrong')
        signal.pause()
    finally:
        os._exit(status)


def test_another_process(sim):
    for end in ENDS:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            ours.close()
            other_process(theirs)
        theirs.close()
        r = streaming(sim)
        desc = r.get()
        fd = r.export(ring.EXPORT_SLOT, desc['offset'])
        socket.send_fds(ours, [f'{desc["crc32c"]} {desc["bytes"]}'.encode()], [fd])
        os.close(fd)
        said = ours.recv(16)
        end(sim, r)
        ours.send(b'gone')
        tap.check(f'another process has the slice after the ring ends by {end.__name__}',
                  [said, ours.recv(16)], [b'mapped', b'right'])
        # and leaves everything as it is
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()


def test_held_by_the_fd_alone(sim):
    r = streaming(sim)
    desc = r.get()
    fd = r.export(ring.EXPORT_SLOT, desc['offset'])
    Ends.unplug(sim, r)
    importer = Importer()
    importer.get(fd)
    importer.attach()
    importer.map()
    importer.vmap()
    tap.check('a dma-buf is whole when its LIDAR is long gone', sees(importer, desc), [True, True])
    importer.close()
    os.close(fd)


def main():
    sim = ring.Sim('test_import', rate_bytes_per_s=0, slice_bytes=SLICE, pattern='full')
    try:
        test_slices(sim)
        test_segments(sim)
        test_directions(sim)
        test_orders(sim)
        test_walk(sim)
        test_another_process(sim)
        test_held_by_the_fd_alone(sim)
    finally:
        sim.remove()
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
