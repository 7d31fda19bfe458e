#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recordings of real sensors on their way from a device to readers, in a guest.

    recorded.py [CASE]...     the cases whose name holds one of these words

lidar-sim-feed writes the packets of a capture to a virtual LIDAR, whose DMA
carries them through lidar_ring to lidard and its readers.  Three times each:
direct and by copy, published as packets; and decoded by lidard.  What a reader
gets is compared with the capture, read here by other code than lidard's, byte
for byte; what is decoded of it, with the figures of the maker's own software.

One lidard has all sensors, each with a device of its own, and is up for all
cases: to start it takes the emulated machine longer than a case.
"""
import glob
import json
import os
import signal
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IN_GUEST = 'LIDARD_IN_GUEST' in os.environ
sys.path.insert(0, HERE if IN_GUEST else os.path.join(HERE, '..', 'system'))
import direct
import harness
from harness import (ABSENT, BIN, DATA, Process, case, check, check_accounts, equal, find_sensor,
                     find_subscriber, get_status, note, sensor, wait_for)
from ouster import compare

direct.STAGED.append('tests/kmod/recorded.py')
harness.PROGRAMS.append('daemon/lidar-sim-feed')
harness.forget_cases()

PACKETS = 16  # of a slice
SLICE = 136 << 10  # room for so many, the longest of them
# Whatever comes fits into what a reader may have waiting, so that nothing hangs on who is faster.
PUBLISHED_AS = {
    'direct': {'device_mode': 'direct', 'queue': 16, 'held': 4, 'subscriber_slices': 48},
    'copy': {'device_mode': 'copy', 'queue': 16, 'held': 4, 'subscriber_slices': 48},
    'decoded': {'device_packets': 'decode', 'queue': 120, 'held': 4, 'subscriber_slices': 128},
}


def packets_of(path):
    """Port and bytes of each UDP packet of a capture without fragments or tags."""
    with open(path, 'rb') as f:
        data = f.read()
    equal(struct.unpack_from('<I', data, 20)[0], 1, 'link type: Ethernet')
    at = 24
    while at < len(data):
        length = struct.unpack_from('<I', data, at + 8)[0]
        ip = data[at + 16 + 14:at + 16 + length]
        udp = ip[(ip[0] & 15) * 4:struct.unpack_from('>H', ip, 2)[0]]
        equal((ip[0] >> 4, ip[9], ip[6] & 0x3f, ip[7]), (4, 17, 0, 0), 'a whole UDP packet')
        yield struct.unpack_from('>H', udp, 2)[0], udp[8:]
        at += 16 + length


class Recording:
    """A capture, and what is known of it."""

    def __init__(self, path):
        self.name = os.path.basename(path).removeprefix('ouster_').removesuffix('.json')
        with open(path, encoding='utf-8') as f:
            self.expected = json.load(f)
        self.capture = f'{DATA}/ouster/{self.expected["capture"]}'
        self.metadata = f'{DATA}/ouster/{self.expected["metadata"]}'
        self.frames = self.expected['frames']
        self.slices_per_frame = -(-self.frames[0]['packets'] // PACKETS)
        self.short = ''.join(c for c in self.name if c.isalnum())[:12].lower()

    def packets(self):
        return packets_of(self.capture)

    def lidar_port(self):
        return next(port for port, data in self.packets()
                    if len(data) == self.expected['lidar_packet_bytes'])

    def slices(self):
        """The payloads that the packets of the LIDAR make."""
        port = self.lidar_port()
        padded = [struct.pack('<I', len(data)) + data + bytes(-(4 + len(data)) % 8)
                  for to, data in self.packets() if to == port]
        return [b''.join(padded[i:i + PACKETS]) for i in range(0, len(padded), PACKETS)]


def recordings():
    return [Recording(p) for p in sorted(glob.glob(f'{DATA}/expected/ouster_*.json'))]


# ---- the parts -----------------------------------------------------------------

def name_of(recording, way):
    return f'{recording.short}_{way}'


def plug_in(recording, way):
    """A virtual LIDAR. Return: its sensor's configuration."""
    name = name_of(recording, way)
    sim = direct.Sim(name, format='packets', source='feed', rate_bytes_per_s=0, slice_bytes=SLICE,
                     slices_per_frame=recording.slices_per_frame)
    return sensor(name, source='device', device=sim.device, slice_bytes=SLICE,
                  metadata=recording.metadata, **PUBLISHED_AS[way])


def feed(recording, name):
    feeder = Process('feeder', [f'{BIN}/lidar-sim-feed', '--packets', str(PACKETS), '--port',
                                str(recording.lidar_port()), recording.capture,
                                f'/dev/lidar_sim_{name}'])
    equal(feeder.wait(), 0, 'exit status of lidar-sim-feed: ' + feeder.errors())
    fed = recording.slices()
    check(feeder.output().startswith(f'fed {recording.expected["lidar_packets"]} packets in '
                                     f'{len(fed)} slices, {sum(map(len, fed))} bytes;'),
          feeder.output())


def subscribe(*words):
    """lidarctl, once slices would reach it."""
    reader = Process(words[0], [f'{BIN}/lidarctl', *words])
    wait_for(lambda: (find_subscriber(get_status(), reader) or {}).get('connected'),
             f'lidarctl {words[0]} to be connected')
    return reader


def recorded_payloads(path):
    """Of a file of lidarctl record: docs/recording.md."""
    with open(path, 'rb') as f:
        data = f.read()
    equal(data[:8], b'LIDARDRC', 'magic')
    at, align = struct.unpack_from('<II', data, 12)
    equal(align, 8, 'alignment')
    while at < len(data):
        magic, header, slice_header, _, payload, stride = struct.unpack_from('<IIIIQQ', data, at)
        equal(magic, 0x44524352, 'magic of a record')
        first = at + header + slice_header
        yield data[first:first + payload]
        at += stride


def frames_of(echo):
    equal(echo.wait(), 0, 'exit status of lidarctl echo: ' + echo.errors())
    return [json.loads(line) for line in echo.output().splitlines()]


def compare_all(found, recording):
    equal(len(found), len(recording.frames), 'frames')
    for frame, wanted in zip(found, recording.frames):
        compare(frame, wanted)


def check_sensor(name, copies):
    status = get_status()
    s = find_sensor(status, name)
    equal(sum(s['dropped'].values()) + s['bad_packets'] + s['lost_packets'], 0, 'losses')
    equal(s['copied_bytes'], s['bytes'] if copies else 0, 'bytes copied')
    check_accounts(status)
    return s


class PacketRecorder(Process):
    """lidarctl record --packets, which receives."""

    def __init__(self, name):
        self.path = f'{harness.HERE}/{name}.pcap'
        super().__init__('packets', [f'{BIN}/lidarctl', 'record', name, '--packets', '--output',
                                     self.path])
        self.wait_for_line('recording the packets')

    def compare(self, recording):
        self.signal(signal.SIGINT)
        equal(self.wait(), 0, 'exit status of lidarctl record --packets: ' + self.errors())
        port = recording.lidar_port()
        check([data for _, data in packets_of(self.path)] ==
              [data for to, data in recording.packets() if to == port],
              'the packets recorded are not those of the capture')


# ---- cases ---------------------------------------------------------------------

def as_packets(recording, way):
    """The bytes, and what the library decodes of them in a reader."""
    name = name_of(recording, way)
    kept = f'{harness.HERE}/{name}.lidard'
    count = str(len(recording.frames))
    record = subscribe('record', name, '--format', 'raw', '--output', kept, '--frames', count,
                       '--max-bytes', '4M')
    packets = PacketRecorder(name)
    echo = subscribe('echo', name, '--summary', '--json', '--frames', count)
    feed(recording, name)
    compare_all(frames_of(echo), recording)
    equal(record.wait(), 0, 'exit status of lidarctl record: ' + record.errors())
    got, fed = list(recorded_payloads(kept)), recording.slices()
    equal([len(g) for g in got], [len(f) for f in fed], 'bytes of the slices')
    check(got == fed, 'a slice has other bytes than were fed')
    packets.compare(recording)
    equal(check_sensor(name, way == 'copy')['format'], 1, 'format')
    note(f'{len(fed)} slices, {sum(map(len, fed))} bytes')


def decoded(recording, way):
    name = name_of(recording, way)
    packets = PacketRecorder(name)
    echo = subscribe('echo', name, '--summary', '--json', '--frames', str(len(recording.frames)))
    feed(recording, name)
    found = frames_of(echo)
    compare_all(found, recording)
    packets.compare(recording)
    equal([f['frame_id'] & 0xffff for f in found],
          [f['frame_id'] & 0xffff for f in recording.frames], 'frames')
    s = check_sensor(name, True)
    equal((s['format'], s['packets']), (2, recording.expected['lidar_packets']), 'the sensor')


def register_cases():
    for recording in recordings():
        for way in PUBLISHED_AS:
            test = decoded if way == 'decoded' else as_packets
            what = 'decoded by lidard' if way == 'decoded' else f'{way}, and decoded by its reader'
            case(f'{recording.name}: {what}')(lambda t=test, r=recording, w=way: t(r, w))


def end_readers():
    for p in list(Process.all):
        if p.name not in ('roudi', 'lidard'):
            p.kill()
            Process.all.remove(p)


def main():
    if not recordings():
        print(f'1..0 # SKIP {ABSENT}')
        return
    if not IN_GUEST:
        direct.outside('recorded.py')
    direct.prepare()
    register_cases()
    started = time.monotonic()
    direct.up(*[plug_in(r, way) for r in recordings() for way in PUBLISHED_AS])
    note(f'up after {time.monotonic() - started:.1f} s')
    try:
        harness.run_cases(end_readers)
    finally:
        direct.clean_up()


if __name__ == '__main__':
    main()
