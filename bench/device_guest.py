#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The part of suite device that runs in a guest: every turn, a line of JSON for each.

    device_guest.py PLAN    PLAN: JSON as suite_device.py makes it

Outside, this starts the guest.  There it makes a virtual LIDAR for each turn and has
bench/device/consume take its slices, or lidard as bench_device.py does.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
sys.dont_write_bytecode = True
import bench_device
import direct
import harness
import machine

direct.STAGED += ['bench/device_guest.py', 'bench/machine.py']
harness.PROGRAMS.append('bench/device/consume')
SLOTS = 8
# a scan needs no stream: one slice, and the rest of a second without any
SCAN_SLICES_PER_S = 4
# of the three memories, within one turn
SCAN_ROUNDS = 5


def consume(way, size, number, seconds, **settings):
    """Return: what the program counted. Raises RuntimeError with what it said."""
    sim = direct.Sim(slice_bytes=size, crc=0, **settings)
    try:
        done = subprocess.run([f'{harness.BIN}/consume', way, sim.device, str(size), str(number),
                               str(seconds)], check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=300 + seconds)
    except subprocess.TimeoutExpired as e:
        raise RuntimeError('does not end') from e
    finally:
        direct.clean_up()
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip() or f'exit status {done.returncode}')
    return json.loads(done.stdout)


def lidard(way, size, hz, seconds):
    """As bench_device.py takes a turn: it starts RouDi and lidard, which takes a while."""
    slices, cpu_ns, machine_ns, duration_ns = bench_device.one(way.removeprefix('lidard-'), size,
                                                               hz, seconds)
    return {'way': way, 'slices': slices, 'bytes': slices * size, 'lost': None,
            'duration_ns': duration_ns, 'cpu_ns': cpu_ns, 'machine_cpu_ns': machine_ns,
            'user_instructions': None, 'system_instructions': None}


def turn(plan, way, size):
    if way == 'scan':
        return consume(way, size, SCAN_ROUNDS, plan['scan_seconds'], pattern='full',
                       rate_bytes_per_s=SCAN_SLICES_PER_S * size)
    if way.startswith('lidard-'):
        return lidard(way, size, plan['hz'], plan['seconds'])
    return consume(way, size, SLOTS, plan['seconds'], pattern='none',
                   rate_bytes_per_s=plan['hz'] * size)


def report(plan, way, size):
    """One turn, and its line."""
    try:
        counted = turn(plan, way, size)
    except (RuntimeError, harness.Failed, OSError, ValueError) as e:
        counted = {'way': way, 'error': (str(e).strip() or type(e).__name__).split('\n')[0]}
    counted['slice_bytes'] = size
    print('TURN ' + json.dumps(counted), flush=True)


def inside(plan):
    direct.prepare()
    print(f'GUEST {machine.processor()}, Linux {os.uname().release}', flush=True)
    ways = plan['ways']
    for size in plan['sizes']:
        for number in range(plan['rounds']):
            for i in range(len(ways)):
                report(plan, ways[(i + number) % len(ways)], size)
        for way in plan['once']:
            report(plan, way, size)


def outside(plan):
    turns = len(plan['sizes']) * (plan['rounds'] * len(plan['ways']) + len(plan['once']))
    direct.outside('device_guest.py', memory='4G', arguments=[json.dumps(plan)],
                   more=['--count-instructions'] if plan['instructions'] else [],
                   timeout=int(300 + turns * (60 + 3 * plan['seconds'])))


if __name__ == '__main__':
    if IN_GUEST:
        inside(json.loads(sys.argv[1]))
    else:
        outside(json.loads(sys.argv[1]))
