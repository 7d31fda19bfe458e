#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a gigabyte from a device costs the CPU: read() and publish, lidard's copy, lidard direct.

    bench_device.py [SECONDS]       for each size and way (LIDARD_BENCH_SECONDS, or 6)

In a guest with the modules loaded, one after the other: a virtual LIDAR whose
data costs nothing to make, RouDi, and whoever takes its slices and publishes
them; nobody subscribes.  CPU, for each slice, is that of the publishing process,
its system calls included, and that of the whole machine: the virtual LIDAR and
the kernel's workers are in there, and whatever else a guest does.  ms/GB and the
ratio are of the process.
String instructions are off in the guest's CPU (tests/vm/guest), or emulation
would make copies look dearer than they are.
"""
import glob
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
if not IN_GUEST:
    sys.path.insert(0, os.path.join(HERE, '..', 'tests', 'kmod'))
import direct
import harness
from harness import Process, Roudi, find_sensor, get_status, sensor

SIZES = [1 << 20, 4 << 20, 16 << 20, 64 << 20]
BYTES_PER_S = 200 << 20
LOANS = 4
NAMES = ['read', 'copy', 'direct']
SECONDS = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get('LIDARD_BENCH_SECONDS', 6))
direct.STAGED.append('bench/bench_device.py')
harness.PROGRAMS.append('bench/read-publish')


def run_ns(tasks):
    """CPU time of threads, by what the scheduler says."""
    total = 0
    for task in tasks:
        try:
            with open(task + '/schedstat', encoding='ascii') as f:
                total += int(f.read().split()[0])
        except OSError:
            pass  # it ended
    return total


def busy_ns():
    """CPU time of the whole machine: kernel threads are in nobody's process."""
    with open('/proc/stat', encoding='ascii') as f:
        user, nice, system, _, _, irq, softirq = map(int, f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) * (1000000000 // os.sysconf('SC_CLK_TCK'))


def measure(process, count, seconds):
    """Return: slices, and ns of CPU of the process and of the machine, over so long."""
    def look():
        return count(), run_ns(glob.glob(f'/proc/{process.pid}/task/*')), busy_ns()
    before = look()
    time.sleep(seconds)
    return [b - a for a, b in zip(before, look())]


def lidard_way(mode, sim, size):
    system = direct.up(sensor('front', source='device', device=sim.device, device_mode=mode,
                              slice_bytes=size, loans=LOANS, subscriber_slices=2, queue=1, held=1))
    harness.wait_for(lambda: find_sensor(get_status(), 'front')['published'] > 2, 'slices')
    return measure(system.lidard, lambda: find_sensor(get_status(), 'front')['published'], SECONDS)


def read_way(sim, size):
    harness.write_config(sensor('front', slice_bytes=size, loans=LOANS, subscriber_slices=2,
                                queue=1, held=1, sim_beams=128))
    Roudi()
    # longer than it is looked at; the sim's own count is what it could deliver
    process = Process('read-publish', [harness.BIN + '/read-publish', sim.device, str(size),
                                       str(LOANS), str(int(SECONDS * 4 + 10))])
    statistics = f'/sys/class/lidar/{os.path.basename(sim.device)}/statistics/delivered'
    harness.wait_for(lambda: int(direct.read(statistics)) > 2, 'slices')
    return measure(process, lambda: int(direct.read(statistics)), SECONDS)


def one(name, size):
    sim = direct.Sim(slice_bytes=size, pattern='none', crc=0, rate_bytes_per_s=BYTES_PER_S)
    try:
        return read_way(sim, size) if name == 'read' else lidard_way(name, sim, size)
    finally:
        direct.clean_up()


def row(size):
    cost = {}
    for name in NAMES:
        slices, process_ns, machine_ns = one(name, size)
        slices = max(slices, 1)
        cost[name] = process_ns / slices
        print(f'{size >> 20:5d}  {name:8s} {slices:7d} {process_ns / slices / 1e3:12.0f} '
              f'{machine_ns / slices / 1e3:12.0f} {process_ns / slices / size * 1e3:9.1f} '
              f'{cost["read"] / cost[name]:10.1f}', flush=True)


def inside():
    direct.prepare()
    print(f'# {BYTES_PER_S >> 20} MiB/s, {SECONDS:.0f} s each, {os.cpu_count()} CPUs, '
          f'Linux {os.uname().release}, {time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}\n'
          f'#  MiB  way       slices   process us   machine us    ms/GB   read/this')
    for size in SIZES:
        row(size)


if __name__ == '__main__':
    if IN_GUEST:
        inside()
    else:
        sys.argv[1:] = [str(SECONDS)]
        direct.outside('bench_device.py', memory='4G')
