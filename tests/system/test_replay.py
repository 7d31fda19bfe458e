#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recorded sensors, from the capture through shared memory to a reader, point for point."""
import glob
import json
import os

import ouster
from harness import (ABSENT, BIN, DATA, HERE, Reader, Skip, System, await_finished, case, check,
                     check_accounts, equal, find_sensor, main, run, sensor, wait_for)
from ouster import close, compare

CAPTURE = HERE + '/made-up.pcap'
METADATA = HERE + '/made-up.json'


def replay(capture, metadata, **keys):
    if metadata:
        keys['metadata'] = metadata
    return sensor('front', **{'source': 'replay', 'replay_file': capture,
                              'replay_loop': 'no', 'replay_subscribers': 1, 'crc': 'yes',
                              'replay_pace': 'readers', **keys})


def echo():
    """All frames of the sensor, as lidarctl sums them up."""
    status, text = run(f'{BIN}/lidarctl', 'echo', 'front', '--summary', '--json')
    frames = [json.loads(line) for line in text.splitlines() if line.startswith('{')]
    check(frames, f'lidarctl echo ended with {status}: {text[-300:]}')
    return status, frames


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
    front = await_finished(system, 'front')
    equal(front['lost_packets'] + front['bad_packets'], 0, 'lost and bad packets')
    equal(front['packets'], expected['lidar_packets'], 'packets')
    check_accounts(system.status())


def play_velodyne(path, capture):
    """The figures there count both returns of a firing, and frames as they come."""
    with open(path, encoding='utf-8') as f:
        expected = json.load(f)
    system = System(replay(capture, None, model=expected['model']))
    status, frames = echo()
    equal(status, 0, 'exit status of lidarctl echo')
    equal(len(frames), len(expected['frames']), 'frames')
    for frame, wanted in zip(frames, expected['frames']):
        where = f'frame {wanted["index"]}: '
        equal(frame['points'] + frame['second_return_points'], wanted['points_nonzero'],
              where + 'points')
        equal(frame['partial'], wanted['index'] in (0, len(frames) - 1), where + 'partial')
        equal(frame['lost_packets'], 0, where + 'lost packets')
        if frame['second_return_points']:
            continue  # whose figures would be of the first returns alone
        for quantity, name in (('x', 'x'), ('y', 'y'), ('z', 'z'), ('range', 'range_m')):
            for figure in ('min', 'max', 'mean'):
                close(frame[quantity][figure], wanted[name][figure], f'{where}{name}.{figure}')
    front = await_finished(system, 'front')
    equal(front['packets'], expected['packets_1206'], 'packets')
    equal(front['ignored_packets'], sum(expected['other_datagrams(dstport/size)'].values()),
          'position packets, ignored')
    equal(front['lost_packets'] + front['bad_packets'] + front['late_packets'], 0,
          'lost, bad and late packets')
    check_accounts(system.status())


VELODYNE = {'mrpt_vlp16_gps': 'sample_velodyne_vlp16_gps', 'nebula_vlp16_dual': 'velodyne_vlp16_dual'}


def register_recordings():
    for name, capture in VELODYNE.items():
        path, pcap = f'{DATA}/expected/velodyne_{name}.json', f'{DATA}/velodyne/{capture}.pcap'
        if os.path.exists(path) and os.path.exists(pcap):
            case(f'{capture}: every point as other software has it')(
                lambda p=path, c=pcap: play_velodyne(p, c))
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


def play_turns(path):
    """A rotating sensor: frames are cut at azimuth 0, the first and the last are parts of one."""
    with open(path, encoding='utf-8') as f:
        expected = json.load(f)
    system = System(replay(f'{DATA}/hesai/{expected["capture"]}', '', decoder='hesai',
                           calibration=f'{DATA}/hesai/calibration/{expected["calibration"]}',
                           slice_bytes='256K'))
    status, frames = echo()
    equal(len(frames), len(expected['frames']), 'frames')
    for number, (frame, wanted) in enumerate(zip(frames, expected['frames'])):
        where = f'frame {number}: '
        found = frame['all_returns']
        equal(found['points'], wanted['points_nonzero'], where + 'points')
        for quantity, name in (('x', 'x'), ('y', 'y'), ('z', 'z'), ('range', 'range_m')):
            for figure in ('min', 'max', 'mean'):
                close(found[quantity][figure], wanted[name][figure], f'{where}{name}.{figure}')
        for what in ('lost_packets', 'skipped', 'lost_upstream'):
            equal(frame[what], 0, where + what)
        equal(frame['partial'], number in (0, len(frames) - 1), where + 'partial')
    equal(status, 0, 'exit status of lidarctl echo')
    front = await_finished(system, 'front')
    equal(front['packets'], expected['packets'], 'packets')
    equal(front['lost_packets'] + front['bad_packets'] + front['ignored_packets'], 0,
          'lost, bad and ignored packets')
    check_accounts(system.status())


def register_turns():
    for path in sorted(glob.glob(f'{DATA}/expected/hesai_*.json')):
        name = os.path.basename(path).removesuffix('.json')
        case(f'{name}: every return as computed independently')(lambda p=path: play_turns(p))


register_turns()


@case('a capture of another model than the configured one is refused, and why is said')
def other_model():
    if not os.path.exists(f'{DATA}/hesai/hesai_xt32.pcap'):
        raise Skip(ABSENT)
    system = System(replay(f'{DATA}/hesai/hesai_xt32.pcap', '', model='XT32M', slice_bytes='256K',
                           replay_subscribers=0, replay_pace='capture',
                           calibration=f'{DATA}/hesai/calibration/PandarXT32M.csv'))
    wait_for(lambda: 'packets of a PandarXT32 (32 channels), but model = PandarXT32M'
             in system.lidard.errors(), 'a reason')


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
    await_finished(system, 'front')
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
    await_finished(system, 'front')


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
