# SPDX-License-Identifier: Apache-2.0
"""A made-up Ouster sensor and a capture of it, so that replays run without any recording.

16 beams, 512 columns, the LEGACY packet; every beam meets a wall at its own
range, so the figures of a frame are known without a decoder.
"""
import json
import struct

BEAMS, COLUMNS, COLUMNS_PER_PACKET = 16, 512, 16
POINTS = BEAMS * COLUMNS
PERIOD_NS = 100_000_000


def range_mm(beam):
    return 4000 + 100 * beam


def write_metadata(path, beams=BEAMS):
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
                                   'udp_profile_lidar': 'LEGACY'}}, f)


def lidar_packet(frame, place):
    data = b''
    for i in range(COLUMNS_PER_PACKET):
        column = place * COLUMNS_PER_PACKET + i
        time_ns = 1_000_000_000 + frame * PERIOD_NS + column * PERIOD_NS // COLUMNS
        data += struct.pack('<QHHI', time_ns, column, frame, column * 90112 // COLUMNS)
        for beam in range(BEAMS):
            data += struct.pack('<IHHHH', range_mm(beam), 50, 100, 10, 0)
        data += struct.pack('<I', 0xffffffff)
    return data


def datagram(payload):
    """Ethernet, IPv4, UDP to port 7502."""
    udp = struct.pack('>HHHH', 7502, 7502, 8 + len(payload), 0) + payload
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0x4000, 64, 17, 0,
                     bytes([10, 0, 0, 2]), bytes([10, 0, 0, 1]))
    total = sum(struct.unpack('>10H', ip))
    total = (total & 0xffff) + (total >> 16)
    ip = ip[:10] + struct.pack('>H', ~total & 0xffff) + ip[12:]
    return bytes(6) + bytes(6) + b'\x08\x00' + ip + udp


def write_capture(path, frames, skip=()):
    """skip: (frame, place) of packets that were lost."""
    per_frame = COLUMNS // COLUMNS_PER_PACKET
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for frame in range(1, frames + 1):
            for place in range(per_frame):
                if (frame, place) in skip:
                    continue
                when = frame * PERIOD_NS + (place + 1) * PERIOD_NS // per_frame
                data = datagram(lidar_packet(frame, place))
                f.write(struct.pack('<IIII', 1_700_000_000 + when // 10**9, when % 10**9,
                                    len(data), len(data)) + data)
