#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disaster after disaster: lidard streams from a device, and each round something goes down.

    rounds.py [--rounds N] [--seed S] [--debug-kernel] [--readers N]

In a guest: RouDi, lidard with a device in direct mode and slices of 16 MiB, and
readers that look at every page of every slice.  A round is one of: the driver of
the device is unbound and bound, somebody tries to remove the modules, lidard is
killed, a reader is, RouDi is.  After each, whoever was not killed must have seen
nothing wrong, go on in the same process, and every loan and every chunk must be
where it belongs.  In the end no page is pinned, the modules can go, and with
--debug-kernel (that of tests/vm/debug-kernel) nothing has leaked.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

import direct
import harness
import ring
import run
from direct import Sim, owner_state, read, write
from harness import (Failed, Lidard, Reader, Roudi, check, check_accounts, equal, find_sensor, note,
                     reserved, sensor, used_chunks, wait_for)

SLICE = 16 << 20
LOANS = 8
RATE = 4 * SLICE  # what an emulated machine can follow
QUEUE, HELD = 4, 2
READER = ['--check', '--pattern', '--queue', QUEUE, '--held', HELD]
DRIVER = '/sys/bus/platform/drivers/lidar-ring'
direct.STAGED += ['tests/kmod/ring.py', 'tests/kmod/rounds.py', 'tests/kmod/run.py']
# an emulated machine, a RouDi that is restarted, readers that notice
PATIENCE = 3 * harness.DEADLINE
MORE = 3  # slices that a reader must see after a disaster


class Rig:
    """All that runs."""

    def __init__(self, rnd, readers):
        self.rnd = rnd
        self.sim = Sim(slice_bytes=SLICE, rate_bytes_per_s=RATE, crc=0)
        self.platform = os.path.basename(os.path.realpath(
            f'/sys/class/lidar/{os.path.basename(self.sim.device)}/device'))
        self.system = direct.up(sensor(
            'front', source='device', device=self.sim.device, device_mode='direct',
            slice_bytes=SLICE, loans=LOANS, queue=QUEUE, held=HELD,
            subscriber_slices=(readers + 1) * (QUEUE + HELD + 4)))
        self.roudis = self.lidards = 0
        self.readers = [self.new_reader() for _ in range(readers)]
        self.reserved = reserved(self.status())

    def new_reader(self):
        reader = Reader('front', *READER)
        self.wait_slices(reader, MORE)
        return reader

    def wait_for(self, look, what):
        """As the service manager: a lidard that ends for want of a RouDi is started with a new one."""
        def tend_and_look():
            if not self.system.lidard.is_alive():
                equal(self.system.lidard.wait(), 75, 'exit status of lidard')
                self.start_roudi()
                self.start_lidard()
            try:
                return look()
            except (OSError, Failed):
                # it may just be ending
                time.sleep(0.2)
                if self.system.lidard.is_alive():
                    raise
                return False
        return wait_for(tend_and_look, what, PATIENCE)

    def wait_slices(self, reader, more):
        before = reader.stats()['slices']

        def look():
            check(reader.is_alive(), f'reader {reader.pid} ended: {reader.errors()[-300:]}')
            return reader.stats()['slices'] >= before + more
        self.wait_for(look, f'reader {reader.pid} to take {more} slices')

    def status(self):
        return self.wait_for(self.system.status, 'lidard to answer')

    def front(self):
        return find_sensor(self.status(), 'front')

    def start_lidard(self):
        """As the service manager does: with a new RouDi if lidard cannot go on with this one."""
        for _ in range(5):
            self.system.lidard = Lidard(ready=False)
            self.lidards += 1
            try:
                self.system.lidard.wait_for_line('ready: accepting subscriptions')
                return
            except Failed:
                equal(self.system.lidard.wait(0), 75, 'exit status of lidard')
                self.start_roudi()
        raise Failed('lidard does not come up with any RouDi')

    def start_roudi(self):
        self.system.roudi.clear()
        self.system.roudi = Roudi()
        self.roudis += 1

    # ---- the disasters ----

    def unbind(self):
        """the driver is unbound, and bound again"""
        before = self.front()['incarnation']
        write(DRIVER + '/unbind', self.platform)
        check(not os.path.exists(f'/sys/class/lidar/{os.path.basename(self.sim.device)}'),
              'the device is still there')
        self.wait_for(lambda: self.front()['state'] == 'backoff', 'the sensor to notice')
        write(DRIVER + '/bind', self.platform)
        self.wait_for(lambda: self.front()['state'] == 'streaming', 'the sensor to go on')
        check(self.front()['incarnation'] != before, 'it is the same incarnation')

    def rmmod(self):
        """somebody tries to remove the modules"""
        before = self.front()
        for name in ('lidar_ring', 'lidar_sim'):
            done = subprocess.run(['rmmod', name], capture_output=True, text=True, check=False)
            check(done.returncode and 'in use' in done.stderr, f'rmmod {name}: {done.stderr}')
        for reader in self.readers:
            self.wait_slices(reader, 1)
        after = self.front()
        equal((after['incarnation'], after['restarts']), (before['incarnation'], before['restarts']),
              'incarnation, restarts')

    def kill_lidard(self):
        """kill -9 of lidard"""
        self.system.lidard.kill()
        self.start_lidard()

    def kill_reader(self):
        """kill -9 of a reader"""
        victim = self.rnd.choice(self.readers)
        self.readers.remove(victim)
        victim.kill()
        left = self.reserved - self.reserved // (len(self.readers) + 1)
        self.wait_for(lambda: reserved(self.status()) == left,
                      'its reservation to come back')
        self.readers.append(self.new_reader())

    def kill_roudi(self):
        """kill -9 of RouDi"""
        self.system.roudi.kill()
        equal(self.system.lidard.wait(), 75, 'exit status of lidard')
        self.start_roudi()
        self.start_lidard()

    DISASTERS = [unbind, rmmod, kill_lidard, kill_reader, kill_roudi]

    # ---- what must be so ----

    def whole(self):
        """Are all loans with the device, and all chunks somebody's who may have them?"""
        status = self.status()
        s = find_sensor(status, 'front')
        return (s['state'] == 'streaming' and s['loans']['lent'] == LOANS and
                reserved(status) == self.reserved and
                used_chunks(status) <= LOANS + self.reserved)

    def counter(self, name):
        device = os.path.basename(self.sim.device)
        return int(read(f'/sys/class/lidar/{device}/statistics/{name}'))

    def examine(self):
        for reader in self.readers:
            self.wait_slices(reader, MORE)
            stats = reader.fresh_stats()
            equal((stats['violations'], stats['crc_wrong']), (0, 0),
                  f'what reader {reader.pid} found')
        self.wait_for(self.whole, 'loans and chunks to be whole')
        check_accounts(self.status())
        for name in ('refused_offset', 'refused_state', 'bad_index'):
            equal(self.counter(name), 0, name)
        equal(owner_state(self.sim), 'streaming', 'the device')

    def round(self):
        disaster = self.rnd.choice(self.DISASTERS)
        # at another moment of a slice
        time.sleep(self.rnd.uniform(0, SLICE / RATE))
        disaster(self)
        self.examine()
        return disaster.__doc__

    def finish(self):
        for reader in self.readers:
            final = reader.finish()
            equal((final['violations'], final['crc_wrong']), (0, 0), 'what a reader found')
        self.wait_for(lambda: used_chunks(self.status()) <= LOANS and
                      reserved(self.status()) == 0, 'all chunks but the loans to come back')
        equal(self.system.lidard.terminate(), 0, 'exit status of lidard')
        wait_for(lambda: owner_state(self.sim) == 'idle', 'the device to be free')
        self.system.roudi.kill()
        note(f'{self.roudis} RouDis and {self.lidards} lidards started anew')


class Results(run.Tap):
    def attempt(self, name, function):
        """Return: whether it did not fail; its own name for it, if it has one, is shown."""
        started = time.monotonic()
        try:
            name = function() or name
        except Failed as e:
            self.note(str(e))
            for p in harness.Process.all[-8:]:
                p.show()
            self.result(False, name)
            return False
        self.result(True, f'{name} ({time.monotonic() - started:.1f} s)')
        return True


def unload():
    harness.end_processes()
    while Sim.all:
        Sim.all.pop().remove()
    for name in ('lidar_sim', 'lidar_ring'):
        done = subprocess.run(['rmmod', name], capture_output=True, text=True, check=False)
        equal(done.returncode, 0, done.stderr)


def all_rounds(options, results):
    rnd = random.Random(options.seed)
    rig = Rig(rnd, options.readers)
    for number in range(1, options.rounds + 1):
        if not results.attempt(f'round {number}', rig.round):
            return
    results.attempt('at the end all chunks but the loans are free', rig.finish)


def inside(options):
    results = Results()
    direct.prepare()
    run.forget_leaks()
    pinned = ring.count_pinned()
    note(f'--rounds {options.rounds} --seed {options.seed}')
    try:
        all_rounds(options, results)
    finally:
        results.attempt('no page remains pinned, and the modules can go', lambda: (
            unload(), equal(ring.count_pinned(), pinned, 'pinned pages')) and None)
    run.find_leaks(results)
    print(f'1..{results.count}')
    return 1 if results.failed else 0


def outside(options):
    arguments = ['--rounds', options.rounds, '--seed', options.seed, '--readers', options.readers]
    more = {'memory': '3G', 'arguments': [str(a) for a in arguments],
            'timeout': 600 + 60 * options.rounds}
    if not options.debug_kernel:
        return direct.outside('rounds.py', **more)
    with tempfile.TemporaryDirectory(prefix='lidard-rounds-') as folder:
        image = run.debug_kernel(folder)
        if not image:
            print('1..0 # SKIP no debug kernel: tests/vm/debug-kernel builds it, in ten minutes')
            return 0
        more['timeout'] *= run.SLOWER
        return direct.outside('rounds.py', modules=folder, slower=run.SLOWER,
                              more=['--kernel', image], **more)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=6)
    parser.add_argument('--seed', type=int, default=None)
    parser.add_argument('--readers', type=int, default=2)
    parser.add_argument('--debug-kernel', action='store_true')
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    sys.exit(inside(options) if direct.IN_GUEST else outside(options))


if __name__ == '__main__':
    main()
