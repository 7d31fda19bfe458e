# SPDX-License-Identifier: Apache-2.0
"""Curves on logarithmic axes, as SVG; and the same picture as PNG.

What plot.py and bench/plot draw with.  Nothing but Python is needed for SVG; PNG
is converted by rsvg-convert.
"""
import math
import shutil
import subprocess

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 900, 520, 70, 50, 20, 260
LEGEND_LINE = 16
COLOURS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b',
           '#e377c2', '#7f7f7f', '#bcbd22']
# for each further round of the colours
DASHES = ['none', '6 3', '2 3', '8 3 2 3']
UNITS = [(1e9, 's'), (1e6, 'ms'), (1e3, 'us'), (1, 'ns')]


class CannotConvert(Exception):
    """No PNG, with the reason."""


def duration(ns):
    return next((f'{ns / size:g} {unit}' for size, unit in UNITS if ns >= size), f'{ns:g} ns')


def escape(text):
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')


class Axis:
    """A logarithmic one, from its first tick to its last, or some way around a single one.

    @ticks: [(value, what stands beside it)], in order of values
    """

    def __init__(self, ticks, title=''):
        self.ticks = ticks
        self.title = title
        self.low, self.high = math.log10(ticks[0][0]), math.log10(ticks[-1][0])
        if self.low == self.high:
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def part(self, value):
        """From 0 at the axis' beginning to 1 at its end."""
        return (math.log10(value) - self.low) / (self.high - self.low)


def decades(values, say, title='', least_decades=1):
    """An axis of whole decades around all values."""
    first = math.floor(math.log10(min(values)))
    last = max(math.ceil(math.log10(max(values))), first + least_decades)
    return Axis([(10.0 ** n, say(10.0 ** n)) for n in range(first, last + 1)], title)


class Canvas:
    """Where a point of two axes lies."""

    def __init__(self, x_axis, y_axis):
        self.x_axis, self.y_axis = x_axis, y_axis

    def x(self, value):
        return LEFT + self.x_axis.part(value) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - self.y_axis.part(value) * (HEIGHT - TOP - BOTTOM)


def grid(canvas):
    for value, text in canvas.x_axis.ticks:
        x = canvas.x(value)
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
        yield (f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
               f'{escape(text)}</text>')
    for value, text in canvas.y_axis.ticks:
        y = canvas.y(value)
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">'
           f'{escape(canvas.x_axis.title)}</text>')
    if canvas.y_axis.title:
        yield f'<text x="{LEFT}" y="{TOP - 6}">{escape(canvas.y_axis.title)}</text>'


def draw_curve(canvas, number, label, points):
    stroke = (f'stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="1.5" '
              f'stroke-dasharray="{DASHES[number // len(COLOURS) % len(DASHES)]}"')
    path_points = ' '.join(f'{canvas.x(x):.1f},{canvas.y(y):.1f}' for x, y in points)
    yield f'<polyline points="{path_points}" fill="none" {stroke}/>'
    if len(points) == 1:
        x, y = points[0]
        yield f'<circle cx="{canvas.x(x):.1f}" cy="{canvas.y(y):.1f}" r="3" {stroke}/>'
    x, y = WIDTH - RIGHT + 12, TOP + LEGEND_LINE * (number + 1)
    yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 24}" y2="{y - 4}" {stroke}/>'
    yield f'<text x="{x + 30}" y="{y}">{escape(label)}</text>'


def draw_svg(curves, x_axis, y_axis):
    """Return: the picture. @curves: [(label, [(x, y)])]"""
    canvas = Canvas(x_axis, y_axis)
    height = max(HEIGHT, TOP + LEGEND_LINE * (len(curves) + 1))
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *grid(canvas)]
    for number, (label, points) in enumerate(curves):
        lines += draw_curve(canvas, number, label, points)
    lines.append('</svg>')
    return '\n'.join(lines) + '\n'


def convert_to_png(svg):
    """Return: the picture as PNG, by librsvg. Raises CannotConvert."""
    if not shutil.which('rsvg-convert'):
        raise CannotConvert('PNG takes rsvg-convert (Debian: librsvg2-bin); SVG does not')
    done = subprocess.run(['rsvg-convert', '--format', 'png'], input=svg.encode(),
                          stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise CannotConvert(f'rsvg-convert failed ({done.returncode})')
    return done.stdout
