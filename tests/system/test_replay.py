#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recorded sensors, from the capture through shared memory to a reader, point for point."""
import glob
import json
import os

import ouster
from harness import (ABSENT, BIN, DATA, HERE, Reader, Skip, System, case, check, check_accounts, equal,
                     find_sensor, main, run, sensor, wait_for)

CAPTURE = HERE + '/made-up.pcap'
METADATA = HERE + '/made-up.json'


def replay(capture, metadata, **keys):
    return sensor('front', **{'source': 'replay', 'replay_file': capture, 'metadata': metadata,
                              'replay_loop': 'no', 'replay_subscribers': 1, 'crc': 'yes',
                              'replay_pace': 'readers', **keys})


def echo():
    """All frames of the sensor, as lidarctl sums them up."""
    status, text = run(f'{BIN}/lidarctl', 'echo', 'front', '--summary', '--json')
    frames = [json.loads(line) for line in text.splitlines() if line.startswith('{')]
    check(frames, f'lidarctl echo ended with {status}: {text[-300:]}')
    return status, frames


def close(found, expected, what, within=0.001):
    check(abs(found - expected) <= within, f'{what}: {found}, expected {expected}')


def compare(frame, expected):
    where = f'frame {expected["frame_id"]}: '
    equal(frame['points'], expected['points_nonzero_range'], where + 'points')
    equal(frame['second_return_points'], expected.get('points_nonzero_range2') or 0,
          where + 'second returns')
    for quantity, name in (('x', 'x'), ('y', 'y'), ('z', 'z'), ('range', 'range_m')):
        for figure in ('min', 'max', 'mean'):
            close(frame[quantity][figure], expected[name][figure], f'{where}{name}.{figure}')
    for what in ('lost_packets', 'skipped', 'lost_upstream'):
        equal(frame[what], 0, where + what)


def play_recording(path):
    with open(path, encoding='utf-8') as f:
        expected = json.load(f)
    system = System(replay(f'{DATA}/ouster/{expected["capture"]}',
                           f'{DATA}/ouster/{expected["metadata"]}'))
    status, frames = echo()
    equal(len(frames), len(expected['frames']), 'frames')
    for frame, wanted in zip(frames, expected['frames']):
        compare(frame, wanted)
        equal(frame['frame_id'] & 0xffff, wanted['frame_id'] & 0xffff, 'frame_id')
        window = expected.get('column_window')
        if window and wanted['valid_columns'] == window[1] - window[0] + 1:
            equal(frame['partial'], False, f'frame {wanted["frame_id"]}: partial')
    equal(status, 0, 'exit status of lidarctl echo')
    front = find_sensor(system.status(), 'front')
    equal(front['state'], 'finished', 'state')
    equal(front['lost_packets'] + front['bad_packets'], 0, 'lost and bad packets')
    equal(front['packets'], expected['lidar_packets'], 'packets')
    check_accounts(system.status())


def register_recordings():
    found = sorted(glob.glob(f'{DATA}/expected/ouster_*.json'))
    for path in found:
        name = os.path.basename(path).removeprefix('ouster_').removesuffix('.json')
        case(f'{name}: every point as the maker\'s own software has it')(
            lambda p=path: play_recording(p))
    if not found:
        def skip():
            raise Skip(ABSENT)
        case('recordings of real sensors')(skip)


register_recordings()


def make_capture(frames, **more):
    ouster.write_metadata(METADATA)
    ouster.write_capture(CAPTURE, frames, **more)


@case('a made-up capture: every frame whole, every point where it should be')
def made_up():
    make_capture(5)
    System(replay(CAPTURE, METADATA))
    status, frames = echo()
    equal(status, 0, 'exit status of lidarctl echo')
    equal([f['frame_id'] for f in frames], [1, 2, 3, 4, 5], 'frames')
    ranges = [ouster.range_mm(b) / 1000 for b in range(ouster.BEAMS)]
    for frame in frames:
        equal(frame['points'], ouster.POINTS, 'points')
        close(frame['range']['min'], min(ranges), 'least range')
        close(frame['range']['max'], max(ranges), 'largest range')
        close(frame['range']['mean'], sum(ranges) / len(ranges), 'mean range')
        close(frame['x']['mean'], 0, 'mean x')
        close(frame['y']['mean'], 0, 'mean y')
        equal(frame['partial'], False, 'partial')


@case('packets that were lost are counted, and their frame is flagged')
def lost_packets():
    make_capture(4, skip={(2, 5), (2, 6), (3, 20)})
    system = System(replay(CAPTURE, METADATA))
    _, frames = echo()
    equal([f['partial'] for f in frames], [False, True, True, False], 'partial frames')
    equal([f['lost_packets'] for f in frames], [0, 2, 1, 0], 'lost packets')
    equal([ouster.POINTS - f['points'] for f in frames],
          [0, 2 * 16 * ouster.BEAMS, 16 * ouster.BEAMS, 0], 'missing points')
    front = find_sensor(system.status(), 'front')
    equal((front['lost_packets'], front['partial_frames']), (3, 2), 'the sensor\'s account')


@case('a capture cut off in the middle of a packet: what is whole is played, the rest flagged')
def truncated():
    make_capture(3)
    size = os.path.getsize(CAPTURE)
    os.truncate(CAPTURE, size - size // 6 - 100)
    system = System(replay(CAPTURE, METADATA))
    reader = Reader('front', '--frames', '--check', '--crc', '--held', 40, connected=False)
    equal(reader.wait(), 0, 'exit status of the reader')
    final = reader.wait_final()
    equal((final['frames'], final['incomplete_frames']), (3, 1), 'frames and incomplete ones')
    check(2 * ouster.POINTS < final['points'] < 3 * ouster.POINTS, f'{final["points"]} points')
    check(final['partial_slices'] > 0, 'no slice is flagged')
    for what in ('violations', 'skipped', 'lost', 'crc_wrong'):
        equal(final[what], 0, what)
    equal(find_sensor(system.status(), 'front')['state'], 'finished', 'state')
    check_accounts(system.status())


@case('a capture that is played in a loop goes forward: frames, time, seq')
def loop():
    make_capture(3)
    system = System(replay(CAPTURE, METADATA, replay_loop='yes'))
    reader = Reader('front', '--check', '--crc', '--queue', 16, '--held', 4)
    wait_for(lambda: reader.stats()['frame_id'] >= 40, 'many rounds')
    final = reader.finish()
    for what in ('violations', 'skipped', 'lost', 'crc_wrong', 'partial_slices'):
        equal(final[what], 0, what)
    front = find_sensor(system.status(), 'front')
    equal(front['lost_packets'] + front['late_packets'], 0, 'lost and late packets')


@case('at the pace of the capture it takes the time it took')
def capture_pace():
    make_capture(10)
    system = System(replay(CAPTURE, METADATA, replay_pace='capture'))
    reader = Reader('front', '--check', '--crc', '--queue', 64)
    started = system.status()['now_ns']
    equal(reader.wait(), 0, 'exit status of the reader')
    seconds = (system.status()['now_ns'] - started) / 1e9
    check(seconds >= 0.8, f'1 s of capture took {seconds:.2f} s')
    final = reader.wait_final()
    equal(final['points'], 10 * ouster.POINTS, 'points')
    equal(final['violations'], 0, 'violations')


@case('it waits for as many readers as the configuration says')
def subscribers():
    make_capture(2)
    system = System(replay(CAPTURE, METADATA, replay_subscribers=2))
    first = Reader('front', '--check', '--crc')
    equal(find_sensor(system.status(), 'front')['state'], 'waiting', 'state with one reader')
    equal(find_sensor(system.status(), 'front')['produced'], 0, 'slices before the second reader')
    second = Reader('front', '--check', '--crc', connected=False)
    for r in (first, second):
        equal(r.wait(), 0, 'exit status of a reader')
        equal(r.wait_final()['points'], 2 * ouster.POINTS, 'points')
    equal(find_sensor(system.status(), 'front')['state'], 'finished', 'state')


@case('at the pace of readers a slow one with a short queue loses nothing')
def slow_reader():
    make_capture(4)
    system = System(replay(CAPTURE, METADATA, replay_subscribers=2, slice_bytes='16K'))
    slow = Reader('front', '--check', '--crc', '--queue', 4, '--held', 2, '--slow', 15,
                  connected=False)
    fast = Reader('front', '--check', '--crc', '--queue', 4, '--held', 2, connected=False)
    for r in (slow, fast):
        equal(r.wait(), 0, 'exit status of a reader')
        final = r.wait_final()
        equal(final['points'], 4 * ouster.POINTS, 'points')
        for what in ('skipped', 'lost', 'violations', 'crc_wrong', 'partial_slices'):
            equal(final[what], 0, what)
    check_accounts(system.status())


if __name__ == '__main__':
    main()
