#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw what lidarctl latency --json prints: a curve for each sensor, client and stage.

    lidarctl latency --json | plot.py --output latency.svg [--stage take --stage hold]

For each duration (logarithmic) the share of slices that took longer (logarithmic,
too): tails are what one looks for.  Nothing but Python is needed for SVG; a name
that ends in .png is the same picture, converted by rsvg-convert.
"""
import argparse
import json
import sys

# beside this file: who draws a picture is not to leave another
sys.dont_write_bytecode = True
import picture


def curve(row):
    """[(ns, share of slices that took that or longer)]"""
    left, points = row['count'], []
    for floor, count in row['buckets']:
        points.append((max(floor, 1), left / row['count']))
        left -= count
    points.append((max(row['max_ns'], 1), 1 / row['count']))
    return points


def label(row):
    return f'{row["sensor"]} {row["client"] or "-"} {row["stage"]}'


def draw_svg(rows):
    """Decades of time to the right, decades of rarity down. Return: the picture."""
    curves = [(label(row), curve(row)) for row in rows]
    points = [p for _, c in curves for p in c]
    shares = picture.decades([1, *(share for _, share in points)], lambda s: f'{100 * s:.12g} %')
    return picture.draw_svg(
        curves, picture.decades([ns for ns, _ in points], picture.duration,
                                'share of slices that took longer than this'), shares)


def read_rows(file, stages):
    try:
        rows = json.load(file)['latencies']
    except (ValueError, KeyError, TypeError) as e:
        sys.exit(f'plot.py: this is not what lidarctl latency --json prints: {e}')
    rows = [r for r in rows if r['count'] and (not stages or r['stage'] in stages)]
    if not rows:
        sys.exit('plot.py: nothing to draw: no slice was counted')
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--output', required=True, help='a file, .svg or .png')
    parser.add_argument('--stage', action='append', help='this stage only; may be repeated')
    parser.add_argument('input', nargs='?', type=argparse.FileType(), default=sys.stdin)
    options = parser.parse_args()
    if not options.output.endswith(('.svg', '.png')):
        parser.error(f'--output {options.output}: is it to be .svg or .png?')
    rows = read_rows(options.input, options.stage)
    svg = draw_svg(rows)
    try:
        drawn = picture.convert_to_png(svg) if options.output.endswith('.png') else svg.encode()
    except picture.CannotConvert as e:
        sys.exit(f'plot.py: {e}')
    with open(options.output, 'wb') as f:
        f.write(drawn)
    print(f'{options.output}: {len(rows)} curves')


if __name__ == '__main__':
    main()
