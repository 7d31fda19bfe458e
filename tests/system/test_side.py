#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a sensor's packets hold beside points: its IMU, as a stream of its own, up to a reader.

The network is one of its own, so no packet leaves it.
"""
import json
import math
import os
import socket
import struct
import time

import ouster
import sandbox
import velodyne
from harness import (ABSENT, BIN, CONFIG, DATA, HERE, Process, Reader, Skip, System, await_finished,
                     case, check, check_accounts, equal, find_sensor, get_status, main, run, sensor,
                     wait_for)
from ouster import close

CAPTURE = HERE + '/made-up.pcap'
METADATA = HERE + '/made-up.json'
SIDE = 'front/imu'
G = 9.80665


def replay(capture=CAPTURE, metadata=METADATA, **keys):
    return sensor('front', **{'source': 'replay', 'replay_file': capture, 'metadata': metadata,
                              'replay_loop': 'no', 'replay_subscribers': 2, 'imu': 'yes',
                              'crc': 'yes', **keys})


class Echo(Process):
    """lidarctl echo of what comes beside points, subscribed."""

    def __init__(self, *options, waits=True):
        super().__init__('echo', [f'{BIN}/lidarctl', 'echo', SIDE, '--json', *map(str, options)])
        if waits:
            wait_for(lambda: any(s['pid'] == self.pid and s['connected']
                                 for s in get_status()['subscribers']), 'lidarctl echo to subscribe')

    def records(self):
        equal(self.wait(), 0, 'lidarctl echo: ' + self.errors())
        return [json.loads(line) for line in self.output().splitlines()]


def count_datagrams(path, size):
    """Of that many bytes in a capture, counted without any code of lidard."""
    with open(path, 'rb') as f:
        data = f.read()
    at, count = 24, 0
    while at < len(data):
        length = struct.unpack_from('<I', data, at + 8)[0]
        count += length == 14 + 20 + 8 + size
        at += 16 + length
    return count


@case('a made-up capture: every reading in SI units, beside every point, in the same clock')
def made_up():
    ouster.write_metadata(METADATA)
    ouster.write_capture(CAPTURE, 5, imu=True)
    system = System(replay(replay_pace='readers'))
    reader = Reader('front', '--check', '--crc', '--queue', 8, connected=False)
    records = Echo(waits=False).records()
    equal(reader.wait(), 0, 'exit status of the reader')
    equal(reader.wait_final()['points'], 5 * ouster.POINTS, 'points')
    equal(len(records), 50, 'readings')
    for i, record in enumerate(records):
        equal((record['record'], record['frame_id']), ('imu', i), 'reading')
        equal(record['time_ns'], 1_000_000_000 + (10 + i) * 10_000_000, 'time')
        equal(record['angular_time_ns'] - record['time_ns'], 1000, 'time of the angular velocity')
        for found, wanted in zip(record['acceleration'], ((10 + i) * G, 0, G)):
            close(found, wanted, 'acceleration')
        for found, wanted in zip(record['angular_velocity'], (0, 0, math.pi / 2)):
            close(found, wanted, 'angular velocity', 1e-5)
    await_finished(system, 'front')
    await_finished(system, SIDE)
    status = system.status()
    front, side = find_sensor(status, 'front'), find_sensor(status, SIDE)
    equal((front['ignored_packets'], side['packets'], side['published']), (0, 50, 50), 'packets')
    check_accounts(status)


def play_recording(name, metadata):
    capture = f'{DATA}/ouster/{name}.pcap'
    System(replay(capture, f'{DATA}/ouster/{metadata}.json', replay_subscribers=1))
    records = Echo(waits=False).records()
    equal(len(records), count_datagrams(capture, 48), 'readings')
    for record in records:
        close(math.hypot(*record['acceleration']), G, 'at rest, or nearly', 1.5)
    check_accounts(get_status())


RECORDINGS = (('OS-0-128-U1_v2.3.0_1024x10', 'OS-0-128-U1_v2.3.0_1024x10'),
              ('OS-1-128_v2.3.0_1024x10_lb_n3', 'OS-1-128_v2.3.0_1024x10'),
              ('windowed_frame1', 'windowed_frame1_0'))
for recording in RECORDINGS:
    if os.path.exists(f'{DATA}/ouster/{recording[0]}.pcap'):
        case(f'{recording[0]}: as many readings as IMU packets')(lambda r=recording: play_recording(*r))
if not os.path.exists(f'{DATA}/ouster'):
    def skip():
        raise Skip(ABSENT)
    case('recordings of real sensors')(skip)


@case('a sensor on the network whose IMU has a port of its own, and a stranger')
def network():
    ouster.write_metadata(METADATA)
    system = System(sensor('front', source='udp', listen='127.0.0.1:7502', metadata=METADATA,
                           listen_status='127.0.0.1:7503', imu='yes', silence_ms=0))
    echo = Echo('--frames', 20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, \
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as others:
        others.bind(('127.0.0.2', 0))
        # before the first points nobody knows whose it is
        ours.sendto(ouster.imu_packet(0), ('127.0.0.1', 7503))
        wait_for(lambda: find_sensor(system.status(), 'front')['ignored_packets'] == 1,
                 'the first packet to be ignored')
        ours.sendto(ouster.lidar_packet(1, 0), ('127.0.0.1', 7502))
        wait_for(lambda: find_sensor(system.status(), 'front')['packets'] == 1, 'points')
        for number in range(1, 11):
            ours.sendto(ouster.imu_packet(number), ('127.0.0.1', 7503))
            others.sendto(ouster.imu_packet(1000 + number), ('127.0.0.1', 7503))
        # to the port of the points as well
        for number in range(11, 21):
            ours.sendto(ouster.imu_packet(number), ('127.0.0.1', 7502))
        wait_for(lambda: find_sensor(system.status(), SIDE)['packets'] == 20, 'the readings')
        ours.sendto(struct.pack('<QQQ6f', 0, 1, 2, math.nan, 0, 0, 0, 0, 0), ('127.0.0.1', 7503))
        wait_for(lambda: find_sensor(system.status(), SIDE)['bad_packets'] == 1, 'a bad one')
    times = [r['time_ns'] for r in echo.records()]
    equal(sorted(times), [1_000_000_000 + n * 10_000_000 for n in range(1, 21)], 'times')
    equal(find_sensor(system.status(), 'front')['ignored_packets'], 11, 'ignored packets')
    check_accounts(system.status())


@case('a Velodyne whose position packets have a port of their own: where it is, in its points\' clock')
def position():
    system = System(sensor('front', source='udp', listen='127.0.0.1:2368', model='VLP-16',
                           listen_status='127.0.0.1:8308', imu='yes', silence_ms=0))
    echo = Echo('--frames', 5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, \
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as status:
        s.connect(('127.0.0.1', 2368))
        status.connect(('127.0.0.1', 8308))
        begin_ns = time.time_ns()
        while find_sensor(system.status(), SIDE)['packets'] < 5:
            velodyne.send(s, status, 0.2, pps=2)
    for record in echo.records():
        equal((record['record'], record['valid'], record['pps']), ('position', True, 'locked'), 'record')
        close(record['latitude'], 36 + 49.7 / 60, 'latitude', 1e-6)
        close(record['longitude'], -(2 + 24.4 / 60), 'longitude', 1e-6)
        age_ns = record['time_ns'] - record['utc_ns'] % velodyne.HOUR_NS
        # unless the hour has ended meanwhile
        check(0 <= age_ns < 2 * 10**9 or begin_ns % velodyne.HOUR_NS > velodyne.HOUR_NS - 60 * 10**9,
              f'{record}')
    check_accounts(system.status())


@case('it is shown, takes a pool only where it is wanted, and comes and goes with its sensor')
def shown():
    ouster.write_metadata(METADATA)
    ouster.write_capture(CAPTURE, 2, imu=True)
    keys = {'replay_loop': 'yes', 'replay_subscribers': 0}
    system = System(replay(**keys))
    status, text = run(f'{BIN}/lidarctl', 'info', 'front')
    check(status == 0 and f'imu          {SIDE}' in text, text)
    status, text = run(f'{BIN}/lidarctl', 'info', SIDE)
    check(status == 0 and 'inertial readings, slices of at most 4096 bytes' in text, text)
    status, text = run(f'{BIN}/lidarctl', 'list')
    check(SIDE in text, text)
    status, text = run(f'{BIN}/lidard', '--print-roudi-config', '--config', CONFIG)
    check('size = 12248' in text, text)
    status, text = run('sh', '-c', f'cd {HERE} && {BIN}/lidarctl record {SIDE} --format raw --frames 3')
    check(status == 0 and os.path.exists(f'{HERE}/front-imu.lidard'), text)
    status, text = run(f'{BIN}/lidarctl', 'record', SIDE, '--output', HERE)
    check(status == 1 and 'does not publish points' in text, text)
    wait_for(lambda: find_sensor(system.status(), SIDE)['state'] == 'streaming', 'readings')
    old = find_sensor(system.status(), SIDE)['incarnation']
    system.reload(replay(**keys, queue=30))
    wait_for(lambda: find_sensor(system.status(), SIDE)['incarnation'] != old and
             find_sensor(system.status(), SIDE)['state'] == 'streaming', 'readings once more')
    system.reload(replay(**keys, imu='no'))
    equal([s['name'] for s in system.status()['sensors']], ['front'], 'sensors')
    status, text = run(f'{BIN}/lidard', '--print-roudi-config', '--config', CONFIG)
    check('size = 12248' not in text, text)
    wait_for(lambda: find_sensor(system.status(), 'front')['ignored_packets'] > 0,
             'IMU packets to be ignored')


if __name__ == '__main__':
    if not sandbox.why_not():
        sandbox.own_network()
    main()
