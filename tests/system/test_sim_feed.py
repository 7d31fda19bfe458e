#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lidar-sim-feed: what it makes of a capture, and what it refuses.

A file stands where the node of a virtual LIDAR would: what would be written to
it.  tests/kmod/recorded.py feeds a real one.  Prints TAP; needs nothing special.
"""
import os
import struct
import subprocess
import sys
import tempfile

import ouster
from harness import BUILD, Failed, check, equal

FEED = os.path.join(BUILD, 'daemon', 'lidar-sim-feed')
FRAMES, PER_FRAME = 2, ouster.COLUMNS // ouster.COLUMNS_PER_PACKET


def run(*words, seconds=60):
    done = subprocess.run([FEED, *words], capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout, done.stderr


def packets(data):
    while data:
        length = struct.unpack_from('<I', data)[0]
        yield data[4:4 + length]
        padded = -(-(4 + length) // 8) * 8
        equal(data[4 + length:padded], bytes(padded - 4 - length), 'padding')
        data = data[padded:]


def whole(capture, node):
    status, out, err = run('--packets', '5', '--port', '7502', capture, node)
    equal((status, err), (0, ''), 'status and errors')
    equal(out.split(';')[0], f'fed {FRAMES * PER_FRAME} packets in 13 slices, '
          f'{os.path.getsize(node)} bytes', 'what it says')
    with open(node, 'rb') as f:
        equal(list(packets(f.read())), [ouster.lidar_packet(frame, place)
                                        for frame in range(1, FRAMES + 1)
                                        for place in range(PER_FRAME)], 'packets')


def other_ports(capture, node):
    status, _, err = run('--port', '7503', capture, node)
    equal(status, 1, 'exit status')
    check('no UDP packet' in err, err)


def loop(capture, node):
    """Until the device takes no more, which a full one here is."""
    del node
    status, _, err = run('--loop', capture, '/dev/full')
    equal(status, 1, 'exit status')
    check('/dev/full: No space left' in err, err)
    os.mkfifo(capture + '.fifo')
    with subprocess.Popen([FEED, '--loop', capture, capture + '.fifo'], stderr=subprocess.DEVNULL) as p:
        with open(capture + '.fifo', 'rb') as f:
            data = f.read(4 * os.path.getsize(capture))
        p.kill()
    equal(len(data), 4 * os.path.getsize(capture), 'bytes that came')


def refused(capture, node):
    for words, status, sentence in (
            (['--packets', '0', capture, node], 2, '0 is no number from 1 to'),
            (['--packets', '65537', capture, node], 2, '65537 is no number from 1 to'),
            (['--packets', '-1', capture, node], 2, '-1 is no number'),
            (['--packets', '5x', capture, node], 2, '5x is no number'),
            (['--port', '65536', capture, node], 2, '65536 is no number'),
            (['--frob', capture, node], 2, 'usage:'),
            ([capture], 2, 'usage:'),
            ([node, node], 1, 'not a capture'),
            ([capture + '.none', node], 1, 'No such file'),
            ([capture, node + '.none'], 1, 'is the virtual LIDAR live'),
            ([capture, os.path.dirname(node)], 1, 'Is a directory')):
        found, out, err = run(*words)
        equal((found, out), (status, ''), f'{words}: status and output')
        check(sentence in err, f'{words} said: {err}')
    status, out, _ = run('--help')
    equal((status, out[:6]), (0, 'usage:'), '--help')


CASES = [
    ('each packet is there, whole and in order, so many to a slice', whole),
    ('packets to other ports are left out', other_ports),
    ('--loop begins again until it cannot go on', loop),
    ('mistakes are refused, with a sentence', refused),
]


def main():
    failed = 0
    print(f'1..{len(CASES)}')
    for number, (name, function) in enumerate(CASES, 1):
        with tempfile.TemporaryDirectory(prefix='lidard-sim-feed-') as folder:
            capture, node = folder + '/capture.pcap', folder + '/node'
            ouster.write_capture(capture, FRAMES)
            with open(node, 'wb'):
                pass
            try:
                function(capture, node)
                print(f'ok {number} - {name}')
            except Failed as e:
                failed += 1
                print(f'not ok {number} - {name}\n# {e}')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
