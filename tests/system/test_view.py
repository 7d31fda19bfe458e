#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lidarctl view: what a person sees is what the sensor saw."""
import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import zlib

import ouster
from harness import (ABSENT, BIN, DATA, HERE, Skip, System, case, check, equal, forget_cases, main,
                     run, sensor, wait_for)
from test_replay import replay

forget_cases()  # of test_replay

PICTURE = HERE + '/picture.png'
# entries of the palette (tools/palette.h)
BACKGROUND, GRID, SENSOR, SHADE, COUNT = 0, 1, 2, 3, 67


def view(*arguments):
    return run(f'{BIN}/lidarctl', 'view', 'front', *map(str, arguments))


def chunks(data):
    equal(data[:8], b'\x89PNG\r\n\x1a\n', 'signature')
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from('>I4s', data, at)
        body = data[at + 8:at + 8 + length]
        crc, = struct.unpack_from('>I', data, at + 8 + length)
        equal(zlib.crc32(kind + body), crc, f'CRC of {kind}')
        yield kind, body
        at += 12 + length


def unfilter(kind, line, above):
    """A line of a picture of a byte a pixel."""
    out = bytearray()
    for i, value in enumerate(line):
        left = out[i - 1] if i else 0
        corner = above[i - 1] if i else 0
        paeth = min((abs(above[i] - corner), 0, left), (abs(left - corner), 1, above[i]),
                    (abs(left + above[i] - 2 * corner), 2, corner))[2]
        out.append((value + (0, left, above[i], (left + above[i]) // 2, paeth)[kind]) & 0xff)
    return bytes(out)


def read_png(path):
    """Return: the lines of a picture, an entry of the palette a byte."""
    with open(path, 'rb') as f:
        found = list(chunks(f.read()))
    equal((found[0][0], found[-1][0]), (b'IHDR', b'IEND'), 'first and last chunk')
    width, height, depth, colour, *_ = struct.unpack('>IIBBBBB', found[0][1])
    equal((depth, colour), (8, 3), 'bits and kind of colour')
    equal(len(dict(found)[b'PLTE']), 3 * COUNT, 'bytes of the palette')
    raw = zlib.decompress(b''.join(body for kind, body in found if kind == b'IDAT'))
    equal(len(raw), height * (width + 1), 'bytes of the picture')
    lines, above = [], bytes(width)
    for y in range(height):
        line = raw[y * (width + 1):(y + 1) * (width + 1)]
        above = unfilter(line[0], line[1:], above)
        lines.append(above)
    return lines


def is_shade(pixel):
    return pixel >= SHADE


def share(line):
    """Which part of a line shows something."""
    return sum(map(is_shade, line)) / len(line)


def mean(line):
    found = [p for p in line if is_shade(p)]
    return sum(found) / len(found)


@case('--png: a street has ground all around, houses on both sides, and the sensor in the middle')
def street():
    System(sensor('front', sim_beams=64))
    status, text = view('--png', PICTURE, '--size', '512x640', '--range-max', 40)
    equal(status, 0, text)
    check('512x640' in text and 'lost 0' in text and 'reach 40 m, circles 10 m' in text, text)
    lines = read_png(PICTURE)
    equal((len(lines), len(lines[0])), (640, 512), 'height and width')
    # along its beams: a quarter of the height, then a line; the ground is nearer than the horizon
    check(share(lines[159]) > 0.99, 'no ground')
    check(mean(lines[159]) > mean(lines[60]) + 10, 'the ground is not nearer than the horizon')
    equal(set(lines[160]), {GRID}, 'the line between the views')
    # from above: 6 pixels a metre
    above = lines[161:]
    middle, metre = len(above) // 2, len(above) / 80
    equal(above[middle][256], SENSOR, 'the middle')
    ring = [above[middle + int(y * metre)][256 + int(x * metre)]
            for x, y in ((5, 0), (-5, 0), (5, -3), (-5, -3), (0, -5))]
    check(all(is_shade(p) and p < SHADE + 20 for p in ring), f'no ground around: {ring}')
    for side, rows in (('left', above[:middle]), ('right', above[middle:])):
        longest = max(sum(p >= SHADE + 16 for p in line) for line in rows)
        check(longest > 100, f'no houses on the {side}: {longest} pixels in a line')


def made_up(frames=3, **more):
    ouster.write_metadata(HERE + '/made-up.json')
    ouster.write_capture(HERE + '/made-up.pcap', frames, **more)
    System(replay(HERE + '/made-up.pcap', HERE + '/made-up.json'))


@case('--png: every beam of a made-up sensor in its row, every point at its distance')
def beams():
    made_up()
    status, text = view('--png', PICTURE, '--size', '512x400', '--range-max', 6)
    equal(status, 0, text)
    lines = read_png(PICTURE)
    equal([share(line) for line in lines[:100]], [1] * 100, 'shares of the rows of the range image')
    rows = [lines[100 * beam // 16 + 3] for beam in range(16)]
    equal([len(set(row)) for row in rows], [1] * 16, 'colours of a beam that sees one distance')
    # the upper beam sees the nearest, which is the brightest
    shades = [row[0] for row in rows]
    equal(shades, sorted(shades, reverse=True), 'shades of the beams')
    equal((shades[0], shades[-1]), (COUNT - 1, SHADE), 'the nearest and the farthest')
    above = lines[101:]
    for y, line in enumerate(above):
        for x, pixel in enumerate(line):
            distance = ((x + .5 - 256) ** 2 + (y + .5 - 149.5) ** 2) ** .5 / 149.5 * 6
            if not 3.8 < distance < 5.36:
                check(not is_shade(pixel), f'something is seen at {distance:.2f} m')
    check(sum(map(is_shade, b''.join(above))) > 5000, 'next to nothing is seen from above')


@case('--png: lost packets are a gap where they would have been, and are counted')
def gap():
    made_up(skip={(1, 8), (1, 9)})
    status, text = view('--png', PICTURE, '--size', '512x400', '--view', 'range')
    equal(status, 0, text)
    check('lost 2 packets 32 columns' in text, text)
    # 16 columns of 512 a packet, clockwise from forward, which is in the middle
    begin, end = 256 + 8 * 16, 256 + 10 * 16
    for line in read_png(PICTURE):
        check(not any(map(is_shade, line[begin + 2:end - 1])), 'something is seen in the gap')
        check(all(map(is_shade, line[:begin - 1] + line[end + 2:])), 'there is another gap')


def figures(*arguments):
    status, text = view('--json', *arguments)
    equal(status, 0, text)
    return [json.loads(line) for line in text.splitlines()]


@case('--json: a frame in figures: how many points, how far, and nothing is empty')
def in_figures():
    made_up()
    frames = figures('--frames', 2)
    equal([f['frame_id'] for f in frames], [1, 2], 'frames')
    for frame in frames:
        equal((frame['points'], frame['second_return_points']), (16 * 512, 0), 'points')
        equal((frame['lost_packets'], frame['missing_columns'], frame['partial']), (0, 0, False),
              'lost')
        check(0 < frame['last_sensor_ns'] - frame['first_sensor_ns'] < ouster.PERIOD_NS, 'time')
        for axis in 'xy':
            ouster.close(frame[axis]['max'], -frame[axis]['min'], f'{axis} on both sides', 0.01)
        reach = frame['range']
        check(3.8 < reach['min'] < reach['median'] < reach['max'] < 6, f'range {reach}')
        # beams of one distance each, evenly spaced: half of the points are nearer than the mean
        ouster.close(reach['median'], reach['mean'], 'median', 0.1)
        rings = frame['rings']
        equal([r['ring'] for r in rings], list(range(16)), 'rings from top to bottom')
        equal({(r['points'], r['empty']) for r in rings}, {(512, 0)}, 'points and gaps of a ring')
        equal(frame['empty'], 0, 'how much is empty')


@case('--json: lost packets are empty in each ring, and are counted')
def gap_in_figures():
    made_up(skip={(1, 8), (1, 9)})
    first, second, _ = figures()
    equal((first['lost_packets'], first['missing_columns'], first['partial']), (2, 32, True), 'lost')
    # 32 of 512 columns are 22 degrees and a half
    for ring in first['rings']:
        equal(ring['points'], 480, 'points of a ring')
        ouster.close(ring['empty'], 22.5 / 360, 'what is empty', 1.5 / 360)
    ouster.close(first['empty'], 22.5 / 360, 'what is empty in all', 1.5 / 360)
    equal((second['lost_packets'], second['empty'], second['partial']), (0, 0, False), 'the next')


@case('what is not a terminal gets plain text, a picture for each frame')
def plain():
    made_up(4)
    status, text = view()
    equal(status, 0, text)
    check('\033' not in text and text.isascii(), 'it is not plain')
    frames = [i for i, line in enumerate(text.split('\n')) if line.startswith('front frame ')]
    equal(frames, [0, 25, 50, 75], 'lines that begin a frame')
    check(text.split('\n')[1].startswith('@' * 80), text.split('\n')[1])
    check('\no' not in text and 'o' in text.split('\n')[15], 'the sensor')


@case('--frames ends it; a command line that makes no sense is explained')
def options():
    made_up(4)
    status, text = view('--frames', 2, '--top-down')
    equal((status, text.count('front frame ')), (0, 2), 'status and frames')
    for words, answer in ((['--view', 'side'], "--view is top-down, range or both, not 'side'"),
                          (['--colour', 'red'], "height, intensity or range, not 'red'"),
                          (['--size', '10x10'], '--size is WIDTHxHEIGHT, each from 16 to 4096'),
                          (['--size', '100x100x'], '--size is WIDTHxHEIGHT'),
                          (['--size', '-5x100'], '--size is WIDTHxHEIGHT'),
                          (['--range-max', '0'], '--range-max: 0 is not between 0.1 and 10000'),
                          (['--range-max', 'nan'], 'is not a number'),
                          (['--plain', '--png', PICTURE], 'choose one'),
                          (['--json', '--plain'], 'choose one'),
                          (['--sixel'], '--sixel needs a terminal')):
        status, text = view(*words)
        equal(status, 2, f'{words}: exit status')
        check(answer in text, f'{words}: {text}')
    status, text = run(f'{BIN}/lidarctl', 'view', 'nobody')
    check(status == 1 and 'nobody' in text, text)


@case('--png: a file that cannot be written is a failure, and leaves nothing')
def unwritable():
    System(sensor('front'))
    status, text = view('--png', '/dev/full/picture.png')
    check(status == 1 and 'Not a directory' in text, text)
    folder = HERE + '/folder'
    os.mkdir(folder)
    status, text = view('--png', folder)
    check(status == 1 and 'Is a directory' in text, text)
    check(not os.path.exists(folder + '.part'), 'something is left')


class Terminal:
    """lidarctl view on a terminal that says what it is told to."""

    def __init__(self, *arguments, size=(100, 30), pixels=(0, 0), answer='\033[?62;6c'):
        self.data, self.answer = b'', answer
        self.master, slave = pty.openpty()
        self.resize(size, pixels)
        self.before = termios.tcgetattr(self.master)
        os.set_blocking(self.master, False)
        self.process = subprocess.Popen(
            [f'{BIN}/lidarctl', 'view', 'front', *arguments], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, 'LD_LIBRARY_PATH': BIN, 'TERM': 'xterm-256color',
                 'COLORTERM': 'truecolor', 'ASAN_OPTIONS': 'detect_leaks=0'})
        os.close(slave)

    def resize(self, size, pixels=(0, 0)):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('4H', size[1], size[0], *pixels))

    def type(self, keys):
        os.write(self.master, keys.encode())

    def look(self):
        """All it has shown so far."""
        # nothing more for now, or for good
        with contextlib.suppress(OSError):
            while True:
                piece = os.read(self.master, 65536)
                if b'\033[c' in piece:
                    self.type(self.answer)
                self.data += piece
        return self.data.decode(errors='replace')

    def wait_for(self, pattern, what):
        return wait_for(lambda: re.search(pattern, self.look(), re.S), what)

    def screens(self):
        return self.look().split('\033[H')[1:-1]

    def end(self):
        """Return: its exit status."""
        wait_for(lambda: self.look() and self.process.poll() is not None, 'lidarctl view to end')
        return self.process.returncode


def cells(screen):
    """The lines of a screen, above the line of text, without colours."""
    return [re.sub('\033\\[[0-9;]*[mK]', '', line)
            for line in screen[:screen.rindex('\033[K')].split('\r\n')[:-1]]


@case('a terminal is live, has its own size, hears keys, and is given back by Ctrl-C')
def terminal():
    System(sensor('front'))
    t = Terminal()
    t.wait_for(r'(\033\[30;1H\033\[Kfront frame \d+ .*){3}', 'three pictures')
    screen = t.screens()[-1]
    equal([len(line) for line in cells(screen)], [100] * 29, 'lengths of the lines')
    check('\u2580' in screen and '\033[48;2;' in screen, 'half blocks, 24-bit colour')
    t.resize((60, 20))
    t.wait_for(r'(\033\[20;1H\033\[Kfront frame \d+ .*){2}', 'pictures of another size')
    equal([len(line) for line in cells(t.screens()[-1])], [60] * 19, 'lengths of the lines')
    t.type('vv')
    t.wait_for(r'\033\[20;1H\033\[Kfront frame \d+  points \d+  lost 0  age \d+ ms\033',
               'only the range image, of which no reach is said')
    t.type('\x03')
    equal(t.end(), 0, 'exit status')
    check(t.look().endswith('\033[?25h\033[?1049l'), f'its end is {t.look()[-40:]!r}')
    equal(termios.tcgetattr(t.master), t.before, 'settings of the terminal')


@case('a terminal that says that it has sixels gets them')
def sixels():
    System(sensor('front'))
    t = Terminal('--frames', '2', pixels=(700, 420), answer='\033[?62;4;6c')
    equal(t.end(), 0, 'exit status')
    equal(len(re.findall(r'\033P0;1;0q"1;1;700;402#0;2;.*?\033\\', t.look(), re.S)), 2, 'sixels')
    check('\u2580' not in t.look(), 'half blocks')


def recorded():
    capture = f'{DATA}/ouster/OS-1-128_v2.3.0_1024x10'
    if not DATA or not os.path.exists(capture + '.json'):
        raise Skip(ABSENT)
    System(replay(capture + '_lb_n3.pcap', capture + '.json'))


@case('--json of a recording of a real sensor: ground all around, sky between the houses')
def recording_in_figures():
    recorded()
    frame, = figures('--frames', 1)
    equal((frame['points'], len(frame['rings']), frame['lost_packets']), (107647, 128, 0), 'figures')
    shares = [ring['empty'] for ring in frame['rings']]
    check(shares[-1] < 0.2 < shares[10] < 0.7, f'ground and sky: {shares}')
    check(1 < frame['range']['median'] < 30, f"median {frame['range']['median']}")


@case('a recording of a real sensor: the whole image, and a street from above')
def recording():
    recorded()
    status, text = view('--png', PICTURE, '--size', '512x512')
    equal(status, 0, text)
    check('512x512' in text and 'points 107647' in text and 'lost 0' in text, text)
    lines = read_png(PICTURE)
    check(share(lines[115]) > 0.9, f'ground: {share(lines[115]):.2f}')
    check(0.4 < share(lines[20]) < 0.9, f'houses, and sky between them: {share(lines[20]):.2f}')
    around = b''.join(line[206:306] for line in lines[270:370])
    check(share(around) > 0.5, f'around the sensor: {share(around):.2f}')


if __name__ == '__main__':
    main()
