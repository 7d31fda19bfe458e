# SPDX-License-Identifier: Apache-2.0
"""A made-up Ouster sensor and a capture of it, so that replays run without any recording.

16 beams, 512 columns, the LEGACY packet; every beam meets a wall at its own
range, so the figures of a frame are known without a decoder.  And what is known
of recordings: what lidarctl echo says of a frame against the maker's figures.
"""
import json
import struct

from harness import check, equal

BEAMS, COLUMNS, COLUMNS_PER_PACKET = 16, 512, 16
POINTS = BEAMS * COLUMNS
PERIOD_NS = 100_000_000


def range_mm(beam):
    return 4000 + 100 * beam


def write_metadata(path, beams=BEAMS, **more):
    altitudes = [15 - 2 * b for b in range(beams)]
    with open(path, 'w', encoding='utf-8') as f:
        json.dump({'prod_line': 'OS-1-16', 'prod_sn': '1', 'lidar_mode': f'{COLUMNS}x10',
                   'beam_altitude_angles': altitudes, 'beam_azimuth_angles': [0] * beams,
                   'lidar_origin_to_beam_origin_mm': 0,
                   'lidar_to_sensor_transform': [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
                   'data_format': {'columns_per_frame': COLUMNS, 'pixels_per_column': beams,
                                   'columns_per_packet': COLUMNS_PER_PACKET,
                                   'pixel_shift_by_row': [0] * beams,
                                   'column_window': [0, COLUMNS - 1],
                                   'udp_profile_lidar': 'LEGACY'}, **more}, f)


def lidar_packet(frame, place, begin_ns=1_000_000_000):
    data = b''
    for i in range(COLUMNS_PER_PACKET):
        column = place * COLUMNS_PER_PACKET + i
        time_ns = begin_ns + frame * PERIOD_NS + column * PERIOD_NS // COLUMNS
        data += struct.pack('<QHHI', time_ns, column, frame, column * 90112 // COLUMNS)
        for beam in range(BEAMS):
            data += struct.pack('<IHHHH', range_mm(beam), 50, 100, 10, 0)
        data += struct.pack('<I', 0xffffffff)
    return data


def imu_packet(number, begin_ns=1_000_000_000):
    """Number g ahead, one upwards, 90 degrees a second about z; 100 a second."""
    time_ns = begin_ns + number * 10_000_000
    return struct.pack('<QQQ6f', time_ns + 5, time_ns, time_ns + 1000, number, 0, 1, 0, 0, 90)


def datagram(payload, port=7502):
    """Ethernet, IPv4, UDP."""
    udp = struct.pack('>HHHH', port, port, 8 + len(payload), 0) + payload
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0,
                     bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1]))
    total = sum(struct.unpack('>10H', ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack('>H', ~total & 0xffff) + ip[12:]
    return bytes(6) + bytes(6) + b'\x08\x00' + ip + udp


def write_capture(path, frames, skip=(), imu=False, **more):
    """skip: (frame, place) of packets that were lost; imu: ten of its packets for each frame."""
    per_frame = COLUMNS // COLUMNS_PER_PACKET

    def write(when, data):
        f.write(struct.pack('<IIII', 1_700_000_000 + when // 10**9, when % 10**9,
                            len(data), len(data)) + data)

    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for frame in range(1, frames + 1):
            for place in range(per_frame):
                if (frame, place) in skip:
                    continue
                when = frame * PERIOD_NS + (place + 1) * PERIOD_NS // per_frame
                write(when, datagram(lidar_packet(frame, place, **more)))
                number = frame * 10 + place * 10 // per_frame
                if imu and place * 10 // per_frame != (place - 1) * 10 // per_frame:
                    write(when, datagram(imu_packet(number), 7503))


def close(found, expected, what, within=0.001):
    check(abs(found - expected) <= within, f'{what}: {found}, expected {expected}')


def compare(frame, expected):
    """A line of lidarctl echo --summary --json, and a frame of the expected figures."""
    where = f'frame {expected["frame_id"]}: '
    equal(frame['points'], expected['points_nonzero_range'], where + 'points')
    equal(frame['second_return_points'], expected.get('points_nonzero_range2') or 0,
          where + 'second returns')
    for quantity, name in (('x', 'x'), ('y', 'y'), ('z', 'z'), ('range', 'range_m')):
        for figure in ('min', 'max', 'mean'):
            close(frame[quantity][figure], expected[name][figure], f'{where}{name}.{figure}')
    for what in ('lost_packets', 'skipped', 'lost_upstream'):
        equal(frame[what], 0, where + what)
