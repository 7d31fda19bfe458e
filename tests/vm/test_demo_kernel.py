#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./demo --kernel: a virtual LIDAR's DMA, through lidar_ring, to the demo's readers.

In a virtual machine, also where this machine would load the modules: it is not
to.  At a rate an emulated machine follows; a busy one may yet fall behind, so a
loss fails nothing, but it must be in the account, and in the exit status.
"""
import json
import os
import shutil
import subprocess
import sys

BUILD = os.path.abspath(os.environ.get('LIDARD_BUILD_ROOT', 'build'))
ROOT = os.environ.get('LIDARD_SOURCE_ROOT') or os.path.join(os.path.dirname(__file__), '..', '..')
SECONDS, MB_PER_S, SLICE = 5, 5, 256 << 10


def why_not():
    if os.geteuid() != 0:
        return 'needs root'
    if not os.path.exists(f'{BUILD}/kmod/lidar_ring.ko'):
        return 'needs kernel headers'
    if not shutil.which('qemu-system-x86_64'):
        return 'needs a virtual machine'
    return None


def run_demo():
    """Return: exit status, the last line of stdout, what it said besides."""
    done = subprocess.run(['setpriv', '--bounding-set=-sys_module', os.path.join(ROOT, 'demo'),
                           '--kernel', '--json', '--seconds', str(SECONDS), '--rate', str(MB_PER_S),
                           '--slice-bytes', str(SLICE)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          env={**os.environ, 'LIDARD_BUILD_DIR': BUILD})
    lines = done.stdout.strip().splitlines()
    return done.returncode, lines[-1] if lines else '', done.stderr


def losses(report):
    return sum(report['sensors'][0]['dropped'].values()) + \
        sum(sum(s['skipped'].values()) for s in report['subscribers'])


def check_status(status, report):
    assert status in (0, 1), f'exit status {status}'
    assert status == (0 if report['ok'] else 1), f'ok is {report["ok"]}, exit status {status}'
    assert report['ok'] or losses(report), 'not ok, and nothing was lost'


def check_device(report):
    sensor = report['sensors'][0]
    assert sensor['source'] == 'device' and sensor['model'] == 'lidar_sim', sensor
    assert sensor['bytes'] > 0 and sensor['copied_bytes'] == 0, sensor
    wanted = SECONDS * MB_PER_S * 10**6 / SLICE
    print(f'# {sensor["produced"]} slices produced of about {wanted:.0f}, {losses(report)} lost')
    assert sensor['produced'] > wanted / 4, sensor['produced']


def check_accounts(report):
    sensor = report['sensors'][0]
    assert sensor['produced'] == sensor['published'] + sum(sensor['dropped'].values()), sensor
    assert [s['role'] for s in report['subscribers']] == ['perception', 'perception', 'recording']
    for s in report['subscribers']:
        assert s['published'] == s['received'] + sum(s['skipped'].values()) + s['waiting'], s
        assert s['received'] > 0, s


def main():
    reason = why_not()
    if reason:
        print(f'1..0 # SKIP {reason}')
        return 0
    status, last, text = run_demo()
    if status == 77:
        print('1..0 # SKIP needs a virtual machine')
        return 0
    print('1..3')
    failed = 0
    cases = [('its exit status says what its JSON says', lambda r: check_status(status, r)),
             ('the device wrote what was read: nothing was copied', check_device),
             ('every account adds up', check_accounts)]
    for number, (name, check) in enumerate(cases, 1):
        try:
            check(json.loads(last))
            print(f'ok {number} - {name}')
        except (AssertionError, ValueError, KeyError) as e:
            failed += 1
            print(f'not ok {number} - {name}\n# {type(e).__name__}: {e}')
    if failed:
        print('\n'.join('# ' + line for line in text.splitlines()[-30:]))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
