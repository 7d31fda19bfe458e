#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sensors on the network: packets on loopback, as a sensor sends them, up to a reader.

The network is one of its own, so no packet leaves it and every address is free.
"""
import glob
import json
import os
import signal
import socket
import struct
import subprocess
import time

import harness
import ouster
import sandbox
import velodyne
from harness import (ABSENT, BIN, DATA, HERE, Lidard, Process, Reader, Roudi, Skip, System, case, check,
                     check_accounts, equal, find_sensor, get_status, main, note, run, sensor, wait_for,
                     write_config)
from ouster import compare

harness.PROGRAMS.append('tests/system/udp_send')

CAPTURE = HERE + '/made-up.pcap'
METADATA = HERE + '/made-up.json'
LISTEN = '127.0.0.1:7502'
PER_FRAME = ouster.COLUMNS // ouster.COLUMNS_PER_PACKET


def live(name='front', metadata=METADATA, **keys):
    return sensor(name, **{'source': 'udp', 'listen': LISTEN, 'metadata': metadata, 'crc': 'yes',
                           **keys})


def front():
    return find_sensor(get_status(), 'front')


def send(capture=CAPTURE, *options, to=LISTEN):
    """Return: what udp_send did."""
    status, text = run(f'{BIN}/udp_send', *map(str, options), capture, to)
    equal(status, 0, 'udp_send: ' + text)
    return json.loads(text)


class Echo(Process):
    """lidarctl echo, subscribed."""

    def __init__(self, frames, name='front'):
        super().__init__('echo', [f'{BIN}/lidarctl', 'echo', name, '--summary', '--json',
                                  '--frames', str(frames), '--timeout', '30'])
        wait_for(lambda: any(s['pid'] == self.pid and s['connected']
                             for s in get_status()['subscribers']), 'lidarctl echo to subscribe')

    def frames(self):
        equal(self.wait(), 0, 'lidarctl echo: ' + self.errors())
        return [json.loads(line) for line in self.output().splitlines() if line.startswith('{')]


def play_recording(path):
    with open(path, encoding='utf-8') as f:
        expected = json.load(f)
    System(live(metadata=f'{DATA}/ouster/{expected["metadata"]}', slice_bytes='256K'))
    echo = Echo(len(expected['frames']))
    send(f'{DATA}/ouster/{expected["capture"]}')
    frames = echo.frames()
    equal(len(frames), len(expected['frames']), 'frames')
    for frame, wanted in zip(frames, expected['frames']):
        compare(frame, wanted)
    others = sum(expected['other_datagrams(dstport/size)'].values())
    equal((front()['packets'], front()['ignored_packets']), (expected['lidar_packets'], others),
          'packets taken and ignored')
    equal(front()['lost_packets'] + front()['bad_packets'] + front()['overflow_packets'], 0,
          'lost, bad and dropped packets')
    check_accounts(get_status())


def register_recordings():
    found = sorted(glob.glob(f'{DATA}/expected/ouster_*.json'))
    for path in found:
        name = os.path.basename(path).removeprefix('ouster_').removesuffix('.json')
        case(f'{name}, sent to a socket: every point as the maker\'s own software has it')(
            lambda p=path: play_recording(p))
    if not found:
        def skip():
            raise Skip(ABSENT)
        case('recordings of real sensors, sent to a socket')(skip)


register_recordings()


def make_capture(frames, path=CAPTURE, **more):
    ouster.write_metadata(METADATA)
    ouster.write_capture(path, frames, **more)


@case('a sensor at its pace: every frame whole, every slice soon after its last packet')
def pace():
    make_capture(12)
    System(live())
    reader = Reader('front', '--check', '--crc', '--queue', 64)
    sent = send()
    equal(sent['sent'], 12 * PER_FRAME, 'packets sent')
    wait_for(lambda: reader.stats()['points'] == 12 * ouster.POINTS, 'all points')
    final = reader.finish()
    for what in ('violations', 'skipped', 'lost', 'crc_wrong', 'partial_slices'):
        equal(final[what], 0, what)
    equal((front()['frames'], front()['partial_frames']), (12, 0), 'frames and partial ones')
    check_accounts(get_status())


@case('1 % of the packets lost, a burst, others out of order or twice: each counted exactly')
def faults():
    make_capture(80)
    System(live(slice_bytes='16K'))
    reader = Reader('front', '--check', '--crc', '--queue', 128, '--held', 64)
    sent = send(CAPTURE, '--speed', 5, '--drop', 10, '--burst', 75, '--swap', 20, '--twice', 20)
    check(sent['dropped'] > 85 and sent['swapped'] > 20 and sent['twice'] > 20, f'sent: {sent}')
    wait_for(lambda: front()['packets'] + front()['duplicate_packets'] == sent['sent'],
             'all packets to be taken')
    status = front()
    equal(status['lost_packets'], sent['dropped'], 'lost packets')
    equal(status['duplicate_packets'], sent['twice'], 'packets that came twice')
    # frames of which nothing came have no slices that could lack columns
    unseen = 80 - status['frames']
    equal(status['missing_columns'], 16 * (sent['dropped'] - unseen * PER_FRAME),
          'missing columns')
    equal((status['late_packets'], status['overflow_packets'], status['bad_packets']), (0, 0, 0),
          'late, dropped and bad packets')
    points = (80 * PER_FRAME - sent['dropped']) * 16 * ouster.BEAMS
    wait_for(lambda: reader.stats()['points'] == points, f'all {points} points')
    final = reader.finish()
    for what in ('violations', 'skipped', 'lost', 'crc_wrong'):
        equal(final[what], 0, what)
    # a slice is two packets: those that lack one say so, as does the last of their frame
    dropped = sent['dropped'] - unseen * PER_FRAME
    check(dropped / 2 <= final['partial_slices'] <= dropped + status['partial_frames'],
          f'{final["partial_slices"]} partial slices of {dropped} packets lost')
    check_accounts(get_status())


@case('two sensors at one port, told apart by their addresses, and a stranger')
def shared():
    make_capture(10)
    left, right = '127.0.0.2', '127.0.0.3'
    System(live(**{'from': left}), live('rear', **{'from': right}))
    processes = [Process('udp_send', [f'{BIN}/udp_send', '--from', who, CAPTURE, LISTEN])
                 for who in (left, right, '127.0.0.4')]
    for p in processes:
        equal(p.wait(), 0, 'udp_send: ' + p.errors())
    for name in ('front', 'rear'):
        wait_for(lambda n=name: find_sensor(get_status(), n)['frames'] == 10, f'frames of {name}')
        wait_for(lambda n=name: find_sensor(get_status(), n)['ignored_packets'] == 20 * PER_FRAME,
                 f'packets of others to be ignored by {name}')
        found = find_sensor(get_status(), name)
        equal((found['packets'], found['lost_packets'], found['partial_frames']),
              (10 * PER_FRAME, 0, 0), f'packets, lost ones and partial frames of {name}')


def crowd(**keys):
    """Eight sensors of 16 MB/s, and no processor is idle. Return: packets lost, all of them counted."""
    frames, ports = 150, range(7502, 7510)
    make_capture(frames)
    frame_bytes = os.path.getsize(CAPTURE) / frames
    System(*(live(f's{p}', listen=f'127.0.0.1:{p}', slice_bytes='256K', queue=8, held=4,
                  subscriber_slices=16, **keys) for p in ports))
    reader = Reader('s7502')
    for _ in range(os.cpu_count()):
        Process('busy', ['sh', '-c', 'while :; do :; done'])
    speed = str(16e6 / (frame_bytes * 10))
    senders = [Process('udp_send', [f'{BIN}/udp_send', '--speed', speed, CAPTURE, f'127.0.0.1:{p}'])
               for p in ports]
    for sender in senders:
        equal(sender.wait(), 0, 'udp_send: ' + sender.errors())
    lost = 0
    for port in ports:
        # the kernel tells what it dropped with the next datagram
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b'x', ('127.0.0.1', port))
        wait_for(lambda p=port: find_sensor(get_status(), f's{p}')['ignored_packets'] == 1,
                 'the last datagram to be taken')
        found = find_sensor(get_status(), f's{port}')
        equal((found['packets'] + found['overflow_packets'], found['bad_packets']),
              (frames * PER_FRAME, 0), f'of port {port} taken or dropped by the kernel, and bad ones')
        lost += found['overflow_packets']
    note(f'{lost} of {len(ports) * frames * PER_FRAME} packets lost')
    check_accounts(get_status())
    reader.finish()
    return lost


@case('eight sensors of 16 MB/s on a busy machine: nothing is lost that is not counted')
def busy_machine():
    crowd()


@case('eight sensors of 16 MB/s and sockets that are too small: all that is lost is counted')
def small_sockets():
    check(crowd(receive_buffer='16K') > 0, 'nothing was lost')


def read_pcap(path):
    """Return: (time, from, to, payload) of each packet."""
    with open(path, 'rb') as f:
        data = f.read()
    equal(struct.unpack_from('<IHHiIII', data)[:3] + struct.unpack_from('<I', data, 20),
          (0xa1b23c4d, 2, 4, 1), 'header of the capture')
    found, at = [], 24
    while at < len(data):
        seconds, ns, bytes_, _ = struct.unpack_from('<IIII', data, at)
        frame = data[at + 16:at + 16 + bytes_]
        words = struct.unpack('>10H', frame[14:34])
        total = sum(words)
        equal((total & 0xffff) + (total >> 16), 0xffff, 'checksum of the IPv4 header')
        equal((words[1], frame[12:15]), (len(frame) - 14, b'\x08\x00\x45'), 'length and types')
        source, destination, length = struct.unpack('>HHH', frame[34:40])
        equal(length, len(frame) - 34, 'length of UDP')
        found.append((seconds * 10**9 + ns, (socket.inet_ntoa(frame[26:30]), source),
                      (socket.inet_ntoa(frame[30:34]), destination), frame[42:]))
        at += 16 + bytes_
    return found


class Recorder(Process):
    """lidarctl record --packets, which receives."""

    def __init__(self, path, *options):
        super().__init__('recorder', [f'{BIN}/lidarctl', 'record', 'front', '--packets', '--output',
                                      path, *options])
        self.wait_for_line('recording the packets')

    def finish(self, status=0):
        self.signal(signal.SIGINT)
        equal(self.wait(), status, 'lidarctl record --packets: ' + self.errors())


def record_points(folder, frames):
    """Return: lidarctl record, which will be connected."""
    before = len(get_status()['subscribers'])
    p = Process('points', [f'{BIN}/lidarctl', 'record', 'front', '--output', folder, '--frames',
                           str(frames)])
    wait_for(lambda: len(get_status()['subscribers']) > before or not p.is_alive(),
             'lidarctl record to subscribe')
    return p


def read_files(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(f'{folder}/{name}', 'rb') as f:
            found[name] = f.read()
    return found


@case('recorded while it streams, the packets are a capture whose replay gives the same points')
def recorded():
    make_capture(8)
    system = System(live(listen='0.0.0.0:7502'))
    points = record_points(HERE + '/live', 8)
    wait_for(lambda: get_status()['subscribers'][0]['connected'], 'lidarctl record to be connected')
    recorder = Recorder(HERE + '/live.pcap')
    began = time.time_ns()
    send(CAPTURE, '--from', '127.0.0.2')
    equal(points.wait(), 0, 'lidarctl record: ' + points.errors())
    recorder.finish()
    check('lost 0' in recorder.errors(), recorder.errors())
    packets, sent = read_pcap(HERE + '/live.pcap'), read_pcap(CAPTURE)
    check([p[3] for p in packets] == [p[3] for p in sent], 'the packets are not those that were sent')
    equal({(p[1][0], p[2]) for p in packets}, {('127.0.0.2', ('127.0.0.1', 7502))}, 'addresses')
    equal(len({p[1][1] for p in packets}), 1, 'source ports')
    times = [p[0] for p in packets]
    check(times == sorted(times) and began < times[0] and times[-1] < time.time_ns(), 'times')
    system.reload(sensor('front', source='replay', replay_file=HERE + '/live.pcap', crc='yes',
                         metadata=METADATA, replay_loop='no', replay_subscribers=1,
                         replay_pace='readers'))
    system.lidard.wait_for_line('configuration loaded')
    equal(record_points(HERE + '/again', 8).wait(), 0, 'lidarctl record of the replay')
    live_files, again = read_files(HERE + '/live'), read_files(HERE + '/again')
    equal(list(again), list(live_files), 'frames')
    equal(len(again), 8, 'number of frames')
    for name, data in live_files.items():
        check(again[name] == data, f'{name} differs')


@case('a recorder that stops loses packets of its own, counted, and nobody else does')
def stopped_recorder():
    make_capture(200)
    System(live())
    reader = Reader('front', '--check', '--crc', '--queue', 128, '--held', 64)
    recorder = Recorder(HERE + '/live.pcap')
    recorder.freeze()
    sent = send(CAPTURE, '--speed', 5)['sent']
    wait_for(lambda: front()['packets'] == sent, 'all packets')
    wait_for(lambda: reader.stats()['points'] == 200 * ouster.POINTS, 'all points')
    final = reader.finish()
    for what in ('violations', 'skipped', 'lost', 'crc_wrong', 'partial_slices'):
        equal(final[what], 0, what)
    lost = front()['unrecorded_packets']
    check(lost > 0, 'nothing was lost')
    recorder.thaw()
    recorder.finish(status=1)
    check(f'lost {lost} ' in recorder.errors(), f'{lost} were lost: {recorder.errors()}')
    equal(len(read_pcap(HERE + '/live.pcap')), sent - lost, 'packets recorded')
    # the first ones: what there was no room for is the newest
    check([p[3] for p in read_pcap(HERE + '/live.pcap')] ==
          [p[3] for p in read_pcap(CAPTURE)[:sent - lost]], 'other packets')


@case('a replay that is recorded is the capture once more, and ends with it; what has no packets says so')
def recorded_replay():
    make_capture(4)
    keys = {'source': 'replay', 'replay_file': CAPTURE, 'metadata': METADATA, 'replay_loop': 'no',
            'replay_subscribers': 1, 'replay_pace': 'readers'}
    system = System(sensor('front', **keys), sensor('rear'))
    recorder = Recorder(HERE + '/again.pcap')
    Reader('front', '--check', connected=False)
    equal(recorder.wait(), 0, 'lidarctl record: ' + recorder.errors())
    check(read_pcap(HERE + '/again.pcap') == read_pcap(CAPTURE), 'the captures differ')
    status, text = run(f'{BIN}/lidarctl', 'record', 'rear', '--packets')
    check(status == 1 and 'rear (source = sim) has no packets' in text, f'{status}: {text}')
    status, text = run(f'{BIN}/lidarctl', 'record', 'left', '--packets')
    check(status == 1 and "there is no sensor 'left'" in text, f'{status}: {text}')
    recorder = Recorder(HERE + '/none.pcap')
    system.reload(sensor('rear'))
    equal(recorder.wait(), 1, 'lidarctl record of a sensor that was removed')
    check('was removed' in recorder.errors() and not os.path.exists(HERE + '/none.pcap'),
          recorder.errors())


@case('silence is a state, told once, and ends with the next packet')
def silence():
    make_capture(4)
    # longer than a busy machine keeps the sender from a CPU
    system = System(live(silence_ms=1500))
    wait_for(lambda: front()['state'] == 'silent', 'silence at the beginning')
    check(get_status()['degraded'], 'lidard is not degraded')
    check(LISTEN in front()['error'], f'error: {front()["error"]}')
    send()
    wait_for(lambda: front()['state'] == 'silent', 'silence at the end')
    equal(front()['frames'], 4, 'frames')
    said = system.lidard.errors()
    equal((said.count('silent: '), said.count('packets come again') + said.count('streams now')),
          (2, 1), 'times that silence and its end were told')
    equal(front()['restarts'], 0, 'restarts of the source')


def ip(*arguments):
    subprocess.run(['ip', *arguments], check=True)


def plug_in(name, address):
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', name + '-peer')
    ip('address', 'add', f'{address}/24', 'dev', name)
    ip('link', 'set', name + '-peer', 'up')
    ip('link', 'set', name, 'up')


@case('a multicast group is joined again when its interface was away and is back')
def interface_comes_back():
    group = '239.1.2.3:7502'
    make_capture(4)
    plug_in('lidar0', '192.0.2.1')
    System(live(listen=group, interface='lidar0', silence_ms=200))
    send(CAPTURE, '--from', '192.0.2.1', to=group)
    wait_for(lambda: front()['frames'] == 4, 'frames before')
    ip('link', 'delete', 'lidar0')
    wait_for(lambda: front()['state'] == 'silent', 'silence')
    check('interface = lidar0: No such device' in front()['error'], f'error: {front()["error"]}')
    plug_in('lidar0', '192.0.2.1')
    wait_for(lambda: '239.1.2.3' in memberships('lidar0'), 'lidard to join again')
    send(CAPTURE, '--from', '192.0.2.1', to=group)
    wait_for(lambda: front()['frames'] == 8, 'frames after')
    equal((front()['restarts'], front()['overflow_packets']), (0, 0), 'restarts, packets dropped')
    ip('link', 'delete', 'lidar0')


def memberships(interface):
    return subprocess.run(['ip', 'maddress', 'show', 'dev', interface], check=True, text=True,
                          capture_output=True).stdout


@case('a sensor that is switched off and on again goes on with the next frame')
def restarted():
    make_capture(6)
    System(live())
    # without --check, which wants the sensor's time to go forward: its clock begins anew, too
    reader = Reader('front', '--crc', '--queue', 64)
    send()
    wait_for(lambda: reader.stats()['points'] == 6 * ouster.POINTS, 'the first run')
    send()
    wait_for(lambda: reader.stats()['points'] == 12 * ouster.POINTS, 'the second run')
    final = reader.finish()
    equal((final['lost'], final['frame_id']), (0, 12), 'lost slices, the newest frame')
    equal((front()['frames'], front()['lost_packets'], front()['partial_frames']), (12, 0, 0),
          'frames, lost packets, partial frames')


@case('a port that is taken is said, and listened to as soon as it is free')
def taken():
    make_capture(3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(('127.0.0.1', 7502))
        System(live())
        wait_for(lambda: front()['state'] == 'backoff', 'the sensor to wait')
        check('another program' in front()['error'], f'error: {front()["error"]}')
    wait_for(lambda: front()['state'] in ('starting', 'silent'), 'the sensor to listen')
    send()
    wait_for(lambda: front()['frames'] == 3, 'frames')


@case('without a network of its own lidard takes the socket that the service manager hands over')
def handed_over():
    make_capture(5)
    rear = live('rear', **{'from': '127.0.0.9'})
    write_config(live(), rear)
    Roudi()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(('127.0.0.1', 7502))
        os.dup2(s.fileno(), 9)
        move = 'exec 3<&9 9<&-; export LISTEN_PID=$$; exec unshare --net "$@"'
        lidard = Lidard(launcher=['sh', '-c', move, 'sh'], pass_fds=(9,),
                        environment={'LISTEN_FDS': '1', 'LISTEN_FDNAMES': 'front'})
        os.close(9)
    check('named "front"' in lidard.errors(), 'lidard names it: ' + lidard.errors())
    send()
    wait_for(lambda: front()['frames'] == 5, 'frames')
    # the socket outlives the sensor
    write_config(live(silence_ms=2000), rear)
    lidard.signal(signal.SIGHUP)
    lidard.wait_for_line('configuration loaded')
    equal(front()['frames'], 0, 'frames of the sensor configured anew')
    send()
    wait_for(lambda: front()['frames'] == 5, 'frames after that')
    wait_for(lambda: find_sensor(get_status(), 'rear')['ignored_packets'] == 10 * PER_FRAME,
             'the other sensor to share the socket')


def clock():
    return front()['clock']


def status_text():
    return run(f'{BIN}/lidarctl', 'status')[1]


@case('a PTP master that gives UTC for TAI: told once, shown, and slices say what was found')
def mistaken_by_37_s():
    ouster.write_metadata(METADATA, timestamp_mode='TIME_FROM_PTP_1588')
    system = System(live())
    # a little ahead of now, since it takes a moment until it is sent
    ouster.write_capture(CAPTURE, 25, begin_ns=time.time_ns() + 10**9)
    send()
    wait_for(lambda: front()['frames'] == 25, 'frames')
    found = clock()
    equal((found['found'], found['scale'], found['offset'], found['offset_ns']),
          ('utc', 'utc', 'exact', 37 * 10**9), 'the clock')
    check('counts UTC; by its packets or metadata it is tai' in found['problem'],
          f'problem: {found["problem"]}')
    equal(system.lidard.errors().count('counts UTC'), 1, 'times that it was told')
    text = status_text()
    check('utc (sensor_clock = auto), lock unknown, TAI +37.000000 s (exact), steps: 0' in text,
          f'lidarctl status: {text}')
    check(found['problem'] in text, f'lidarctl status without the problem: {text}')


@case('a clock that the sensor cannot have by its metadata is refused, and said')
def contradiction():
    ouster.write_metadata(METADATA, timestamp_mode='TIME_FROM_INTERNAL_OSC')
    System(live(sensor_clock='ptp'))
    wait_for(lambda: front()['state'] == 'backoff', 'the sensor to wait')
    check('sensor_clock = ptp' in front()['error'] and 'possible here: auto, boot' in front()['error'],
          f'error: {front()["error"]}')


@case('a Velodyne by GPS: its hour is found, a lost lock told and counted, a step counted')
def lost_lock():
    system = System(sensor('front', source='udp', listen=LISTEN, model='VLP-16',
                           slice_bytes='64K', listen_status='127.0.0.1:8308'))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, \
         socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as status:
        s.connect(('127.0.0.1', 7502))
        status.connect(('127.0.0.1', 8308))
        begin_ns = time.time_ns()
        velodyne.send(s, status, 1.5, pps=2)
        hour_ns = begin_ns // velodyne.HOUR_NS * velodyne.HOUR_NS
        found = clock()
        equal((found['scale'], found['lock'], found['offset'], found['offset_ns'],
               found['problem']),
              ('hour', 'locked', 'exact', hour_ns + 37 * 10**9, ''), 'the clock')
        check('lock locked' in status_text(), 'lidarctl status without the lock')
        velodyne.send(s, status, 1.5, pps=0)
        found = clock()
        equal((found['lock'], found['locks_lost'], found['offset']), ('free running', 1, 'measured'),
              'the clock without its lock')
        check(abs(found['offset_ns'] - hour_ns - 37 * 10**9) < 10**9,
              f'offset {found["offset_ns"]}, hour {hour_ns}')
        equal(system.lidard.errors().count('lost its lock'), 1, 'times that it was told')
        equal(front()['clock_steps'], 0, 'steps')
        velodyne.send(s, status, 0.5, pps=0, ahead_ns=5 * 10**9)
        wait_for(lambda: front()['clock_steps'] == 1, 'the step to be counted')


if __name__ == '__main__':
    if not sandbox.why_not():
        sandbox.own_network()
    main()
