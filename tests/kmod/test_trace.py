#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lidard-trace sees what the module's tracepoints tell: filling, interrupts, losses.

As root, with the modules loaded and configfs mounted; lidard-trace, lidarctl,
lidard and liblidard are in PATH.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import ring

SLICE = 1 << 16
tap = ring.Tap()


def skip(reason):
    print(f'1..0 # SKIP {reason}')
    sys.exit(0)


def prepare(folder):
    """Return: how to start our programs, which lie beside each other."""
    program = shutil.which('lidard-trace')
    if not program:
        skip('lidard-trace is not built')
    if not os.path.exists('/sys/bus/event_source/devices/uprobe') or not os.path.isdir('/sys/fs/bpf'):
        skip('the kernel has no uprobes or no BPF')
    beside = os.path.dirname(program)
    library = next(os.path.join(beside, n) for n in sorted(os.listdir(beside))
                   if n.startswith('liblidard.so'))
    os.symlink(library, f'{folder}/liblidard.so.0')
    for kind, where in (('bpf', '/sys/fs/bpf'), ('tracefs', '/sys/kernel/tracing')):
        if not os.path.ismount(where):
            subprocess.run(['mount', '-t', kind, kind, where], check=True)
    os.environ['LD_LIBRARY_PATH'] = folder
    return [program, '--daemon', f'{beside}/lidard', '--library', f'{folder}/liblidard.so.0']


class Trace:
    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        self.said = ''
        for line in self.process.stderr:
            self.said += line
            if 'watching' in line:
                # what is known to be missing comes before
                break

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


def figures():
    done = subprocess.run(['lidarctl', 'latency', '--json', '--outliers'], stdout=subprocess.PIPE,
                          check=True, text=True)
    found = json.loads(done.stdout)
    stages = {r['stage']: r for r in found['latencies'] if r['sensor'].startswith('lidar')}
    lost = sum(d['count'] for d in found['drops'] if d['cause'] == 'device_lost')
    return stages, lost


def stream(sim, slices, drop=0):
    r = sim.open()
    r.setup(ring.KERNEL, 32, SLICE)
    r.start()
    r.take(3)
    sim.set('drop', drop)
    r.take(slices)
    r.close()


def test_device(trace):
    # what the kernel's verifier refuses, or cannot be attached to, is told before "watching"
    tap.check('all programs are loaded and attached, to module and scheduler, too',
              [line for line in trace.said.splitlines() if 'watching' not in line and
               (os.path.exists('/sys/kernel/btf/vmlinux') or 'no type information' not in line)], [])
    done = subprocess.run(['rmmod', 'lidar_ring'], stderr=subprocess.PIPE, text=True, check=False)
    tap.check('the module cannot go from under them', 'in use' in done.stderr, True)
    # slow enough for a machine that is emulated and shared
    sim = ring.Sim('test_trace', rate_bytes_per_s=8000000, slice_bytes=SLICE, crc=0)
    try:
        stream(sim, 100)
        stages, _ = figures()
        tap.check('stages of the device', sorted(stages), ['fill', 'interrupt'])
        # when the very first byte came the device does not know
        counts = [stages[s]['count'] for s in ('interrupt', 'fill')]
        tap.check('every slice is in them', counts[0] >= 100 and counts[0] - counts[1] <= 1, True)
        before = stages['interrupt']['p50_ns']
        sim.set('late_irq_us', 50000)
        stream(sim, 200)
        stages, _ = figures()
        tap.check('a late interrupt is in the stage interrupt',
                  before < 25000000 < 50000000 <= stages['interrupt']['p50_ns'] * 1.016, True)
        tap.check('and in no other', stages['fill']['p50_ns'] < 25000000, True)
        sim.set('late_irq_us', 0)
        _, lost = figures()
        stream(sim, 50, drop=3)
        _, now = figures()
        tap.check('what the device lost is counted', now - lost, 3)
    finally:
        sim.remove()


def main():
    with tempfile.TemporaryDirectory() as scratch:
        trace = Trace(prepare(scratch))
        if trace.process.poll() is None:
            test_device(trace)
            tap.check('lidard-trace ends', trace.end(), 0)
        else:
            tap.check('lidard-trace starts', trace.said.strip(), '')
    return tap.end()


if __name__ == '__main__':
    sys.exit(main())
