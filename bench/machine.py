# SPDX-License-Identifier: Apache-2.0
"""What machine figures come from, and whether it has time to measure anything."""
import os
import platform
import subprocess
import time

# of all CPUs' time: more, and it is somebody else who is measured
BUSY_PCT = 10


def read(path, default=''):
    try:
        with open(path, encoding='utf-8') as f:
            return f.read().strip()
    except OSError:
        return default


def processor():
    lines = read('/proc/cpuinfo').split('\n')
    name = next((line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')),
                platform.machine())
    virtual = any(line.startswith('flags') and ' hypervisor' in line for line in lines)
    return f'{name}, {os.cpu_count()} CPUs' + (' (virtual machine)' if virtual else '')


def memory():
    fields = dict(line.split(':') for line in read('/proc/meminfo').split('\n') if ':' in line)
    return f"{int(fields['MemTotal'].split()[0]) / (1 << 20):.0f} GiB"


def version_of(package):
    done = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', package], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or 'unknown version'


def describe(versions):
    """One line. @versions: names and versions of what is measured."""
    governor = read('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', 'none to be seen')
    load = ' '.join(f'{x:.1f}' for x in os.getloadavg())
    parts = [processor(), f'Linux {platform.release()}', f'governor: {governor}',
             f'memory {memory()}', time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime()),
             f'load {load}', ', '.join(f'{n} {v}' for n, v in versions.items())]
    return '; '.join(part for part in parts if part)


def cpu_ticks():
    user, nice, system, idle, iowait, irq, softirq, steal = map(
        int, read('/proc/stat').split('\n', 1)[0].split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + iowait


def busy_pct(seconds=1.0):
    """How much of all CPUs' time was used, or taken by the hypervisor, just now."""
    before = cpu_ticks()
    time.sleep(seconds)
    after = cpu_ticks()
    return 100 * (after[0] - before[0]) / max(after[1] - before[1], 1)
