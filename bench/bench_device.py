#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a gigabyte from a device costs the CPU: read() and publish, lidard's copy, lidard direct.

    bench_device.py [--instructions] [SECONDS [RATE]]
            SECONDS for each size and way (LIDARD_BENCH_SECONDS, or 6; under 2: of one size,
            with nothing to take off, to see that it runs), RATE of slices a second (2000)

In a guest with the modules loaded, one after the other: a virtual LIDAR whose
data costs nothing to make, RouDi, and whoever takes its slices and publishes
them; nobody subscribes.  The device makes the same number of slices a second at
every size, or as many as the reader can take: 2000 are more than a reader of large ones
can, so each works all the time; at 250 one that has little to do is woken for each
slice, which emulation makes dear.  CPU, for each slice, is that of the
publishing process, its system calls included, and that of the whole machine: the
virtual LIDAR and the kernel's workers are in there, and whatever else a guest
does.  A process does something every second, slices or not (it talks to RouDi,
lidard watches it): that is measured first, with one slice a second, and taken off
in the column net.  ms/GB is of the process, nothing taken off.
String instructions are off in the guest's CPU (tests/vm/guest), or emulation
would make copies look dearer than they are.

With --instructions a nanosecond of the guest is an instruction (tests/vm/guest
--count-instructions), and the columns are thousands of instructions (ki): the same
however busy the machine is, and nothing about caches. RATE is 60 then, which
one such processor can serve at every size, so that every slice of every size wakes
whoever takes it.
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

LOANS = 8
NAMES = ['read', 'copy', 'direct']
SIZES = [1 << 20, 4 << 20, 16 << 20, 64 << 20]
BRIEF_SIZES = [4 << 20]
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
    """Return: slices, ns of CPU of the process and of the machine, and ns that it really took."""
    def look():
        return (count(), run_ns(glob.glob(f'/proc/{process.pid}/task/*')), busy_ns(),
                time.monotonic_ns())
    before = look()
    time.sleep(seconds)
    return [b - a for a, b in zip(before, look())]


def lidard_way(mode, sim, size, seconds):
    system = direct.up(sensor('front', source='device', device=sim.device, device_mode=mode,
                              slice_bytes=size, loans=LOANS, subscriber_slices=2, queue=1, held=1))
    harness.wait_for(lambda: find_sensor(get_status(), 'front')['published'] > 2, 'slices')
    return measure(system.lidard, lambda: find_sensor(get_status(), 'front')['published'], seconds)


def read_way(sim, size, seconds):
    harness.write_config(sensor('front', slice_bytes=size, loans=LOANS, subscriber_slices=2,
                                queue=1, held=1, sim_beams=128))
    Roudi()
    # longer than it is looked at; the sim's own count is what it could deliver
    process = Process('read-publish', [harness.BIN + '/read-publish', sim.device, str(size),
                                       str(LOANS), str(int(seconds * 4 + 10))])
    statistics = f'/sys/class/lidar/{os.path.basename(sim.device)}/statistics/delivered'
    harness.wait_for(lambda: int(direct.read(statistics)) > 2, 'slices')
    return measure(process, lambda: int(direct.read(statistics)), seconds)


def one(name, size, slices_per_s, seconds):
    """Return: what measure() says of one of NAMES."""
    sim = direct.Sim(slice_bytes=size, pattern='none', crc=0, rate_bytes_per_s=slices_per_s * size)
    try:
        if name == 'read':
            return read_way(sim, size, seconds)
        return lidard_way(name, sim, size, seconds)
    finally:
        direct.clean_up()


def row(size, slices_per_s, seconds, idle_ns, digits):
    cost = {}
    for name in NAMES:
        slices, process_ns, machine_ns, _ = one(name, size, slices_per_s, seconds)
        slices = max(slices, 1)
        net_ns = max(process_ns - idle_ns[name], 1)
        cost[name] = (process_ns / slices, net_ns / slices)
        print(f'{size >> 20:5d}  {name:8s} {slices:7d} {process_ns / slices / 1e3:12.{digits}f} '
              f'{net_ns / slices / 1e3:8.{digits}f} {machine_ns / slices / 1e3:12.0f} '
              f'{process_ns / slices / size * 1e3:9.1f} {cost["read"][0] / cost[name][0]:10.1f} '
              f'{cost["read"][1] / cost[name][1]:6.1f}', flush=True)


def inside(seconds, slices_per_s, instructions):
    direct.prepare()
    unit, digits = ('ki', 1) if instructions else ('us', 0)
    briefly = seconds < 2
    idle_ns = {name: 0 if briefly else one(name, 1 << 20, 1, seconds)[1] for name in NAMES}
    print(f'# {slices_per_s} slices a second, {seconds:.0f} s each, {os.cpu_count()} CPUs, '
          f'Linux {os.uname().release}, {time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}\n'
          f'# CPU, idle: '
          + ', '.join(f'{n} {ns / seconds / 1e6:.1f} ms/s' for n, ns in idle_ns.items())
          + (', ki: 1000 instructions, ms: 1000 of them' if instructions else '')
          + f'\n#  MiB  way       slices   process {unit}   net {unit}   machine {unit}    ms/GB'
          '   read/this    net')
    for size in BRIEF_SIZES if briefly else SIZES:
        row(size, slices_per_s, seconds, idle_ns, digits)


def main():
    words = [word for word in sys.argv[1:] if word != '--instructions']
    instructions = len(words) < len(sys.argv) - 1
    seconds = float(words[0] if words else os.environ.get('LIDARD_BENCH_SECONDS', 6))
    slices_per_s = int(words[1]) if len(words) > 1 else 60 if instructions else 2000
    if IN_GUEST:
        inside(seconds, slices_per_s, instructions)
    else:
        flag = ['--instructions'] if instructions else []
        direct.outside('bench_device.py', memory='4G',
                       arguments=[*flag, str(seconds), str(slices_per_s)],
                       more=['--count-instructions'] if instructions else [])


if __name__ == '__main__':
    main()
