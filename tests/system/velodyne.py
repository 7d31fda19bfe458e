# SPDX-License-Identifier: Apache-2.0
"""A made-up VLP-16 that sends as it would at this moment: data and position packets."""
import struct
import time

HOUR_NS = 3600 * 10**9
PACKET_NS = 1_327_104
BLOCK_NS = 110_592
TURN_NS = 100_000_000
POSITION_EVERY = 10


def data_packet(time_ns):
    packet = b''
    for block in range(12):
        azimuth = (time_ns + block * BLOCK_NS) % TURN_NS * 36000 // TURN_NS
        packet += struct.pack('<HH', 0xeeff, azimuth) + struct.pack('<HB', 2500, 50) * 32
    return packet + struct.pack('<IBB', time_ns % HOUR_NS // 1000, 0x37, 0x22)


def position_packet(time_ns, pps):
    text = time.strftime('GPRMC,%H%M%S.00,A,3649.7,N,00224.4,W,0.0,2.5,%d%m%y,0.0,E,A',
                         time.gmtime(time_ns // 10**9))
    total = 0
    for c in text.encode():
        total ^= c
    sentence = f'${text}*{total:02X}\r\n'.encode()
    return (bytes(198) + struct.pack('<IB3x', time_ns % HOUR_NS // 1000, pps) +
            sentence.ljust(306, b'\0'))


def send(s, status, seconds, pps, ahead_ns=0):
    """As many packets as fit, positions to the socket status, each with the time at which it is sent, or so far ahead of it."""
    end_ns = time.time_ns() + int(seconds * 10**9)
    count = 0
    while (now_ns := time.time_ns()) < end_ns:
        # what is done between two packets is a part of the pace
        if count % POSITION_EVERY == 0:
            status.send(position_packet(now_ns + ahead_ns, pps))
        s.send(data_packet(now_ns + ahead_ns))
        count += 1
        time.sleep(PACKET_NS / 1e9)
