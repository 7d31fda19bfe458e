#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What bench/plot draws from stored rows, and how the cost of frames grows, by rows made up here."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import xml.etree.ElementTree

ROOT = os.environ.get('LIDARD_SOURCE_ROOT', os.path.join(os.path.dirname(__file__), '..', '..'))
sys.path.insert(0, os.path.join(ROOT, 'bench'))
sys.dont_write_bytecode = True
import plots
import rows

SVG = '{http://www.w3.org/2000/svg}'
MIB = 1 << 20


def row(contender, size=MIB, hz=500, subscribers=1, cpu=0.1, p50=20.0, **other):
    made = dict.fromkeys(rows.KEYS) | {
        'suite': 'fanout', 'contender': contender, 'bytes': size, 'hz': hz,
        'subscribers': subscribers, 'cpu_s_per_gb_producer': cpu, 'cpu_s_per_gb_subscriber': 0.02,
        'p50_us': p50, 'p99_us': p50 * 5, 'p999_us': p50 * 9, 'max_us': p50 * 40, 'rounds': 1,
        'gb_per_s': 0.5, 'loss_pct': 0.0, 'spread': {}, 'machine': 'a machine'}
    return made | other


def all_rows():
    """Two contenders, three sizes, three counts of subscribers."""
    return [row(name, size, hz, count, cpu * count, p50)
            for name, cpu, p50 in (('lidard', 0.02, 15.0), ('pipe', 0.3, 400.0))
            for size, hz in ((MIB // 16, 8000), (MIB, 500), (50 * MIB, 10)) for count in (1, 4, 16)]


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def store(self, stored, name='results.json'):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.writelines(rows.to_json(r) + '\n' for r in stored)
        return path

    def draw(self, stored):
        # without rsvg-convert, which takes its time
        with unittest.mock.patch.dict(os.environ, PATH='/nowhere'):
            return set(plots.draw(stored, self.folder)[0])

    def picture(self, name):
        return xml.etree.ElementTree.parse(os.path.join(self.folder, name + '.svg'))

    def curves(self, name):
        """Of a picture: the points of each curve, as they lie on it."""
        return [[tuple(map(float, p.split(','))) for p in line.get('points').split()]
                for line in self.picture(name).findall(SVG + 'polyline')]

    def words(self, name):
        return [text.text for text in self.picture(name).findall(SVG + 'text')]


class Pictures(Folder):
    def test_there_is_one_of_each_kind_for_each_piece_of_work(self):
        drawn = self.draw(all_rows())
        self.assertEqual(len([n for n in drawn if n.startswith('fanout-latency-')]), 3)
        self.assertEqual(len([n for n in drawn if n.startswith('fanout-cpu-')]), 3)
        self.assertEqual(len([n for n in drawn if n.startswith('fanout-distribution-')]), 9)

    def test_latency_against_size_has_a_curve_for_each_contender_and_a_point_for_each_size(self):
        self.draw(all_rows())
        self.assertEqual([len(c) for c in self.curves('fanout-latency-4-subscribers')], [3, 3])
        words = self.words('fanout-latency-4-subscribers')
        for word in ('lidard', 'pipe', '64 KiB', '1 MiB', '50 MiB'):
            self.assertIn(word, words)

    def test_who_costs_more_lies_higher_and_more_subscribers_lie_to_the_right(self):
        self.draw(all_rows())
        lidard, pipe = self.curves('fanout-cpu-1-mib-500-hz')
        for below, above in zip(lidard, pipe):
            self.assertGreater(below[1], above[1])
        self.assertEqual(sorted(x for x, _ in lidard), [x for x, _ in lidard])
        self.assertEqual(len(lidard), 3)

    def test_the_daemon_is_part_of_what_sending_costs(self):
        two = [row('a', subscribers=n, cpu=0.1) for n in (1, 4)]
        two += [row('b', subscribers=n, cpu=0.04, cpu_s_per_gb_daemon=0.06) for n in (1, 4)]
        self.draw(two)
        a, b = self.curves('fanout-cpu-1-mib-500-hz')
        self.assertEqual(a, b)

    def test_a_distribution_goes_from_p50_to_max(self):
        self.draw(all_rows())
        curve = self.curves('fanout-distribution-1-mib-500-hz-1')[0]
        self.assertEqual(len(curve), 4)
        self.assertEqual(sorted((y for _, y in curve), reverse=True), [y for _, y in curve])
        self.assertIn('p99.9', self.words('fanout-distribution-1-mib-500-hz-1'))

    def test_quantiles_that_are_not_there_are_not_drawn(self):
        self.draw([row('a', p999_us=None)])
        self.assertEqual(len(self.curves('fanout-distribution-1-mib-500-hz-1')[0]), 3)

    def test_every_point_lies_within_the_axes(self):
        for name in self.draw(all_rows()):
            for x, y in (p for c in self.curves(name) for p in c):
                self.assertTrue(70 <= x <= 640 and 20 <= y <= 470, (name, x, y))

    def test_failures_and_growth_are_no_points(self):
        failed = rows.make_failure('fanout', 'm', 'zmq', {'bytes': MIB, 'hz': 500, 'subscribers': 4},
                                   'broke')
        self.draw([*all_rows(), failed, *rows.make_growth(all_rows())])
        self.assertNotIn('zmq', self.words('fanout-cpu-1-mib-500-hz'))

    def test_flat_out_latency_is_not_drawn_against_size(self):
        drawn = self.draw([row('a', size, 0) for size in (MIB, 2 * MIB)])
        self.assertFalse([n for n in drawn if 'latency' in n])

    def test_what_a_suite_says_besides_keeps_pictures_apart(self):
        drawn = self.draw([row('lidard', way=way) for way in ('poll', 'block')])
        self.assertEqual(drawn, {'fanout-distribution-poll-1-mib-500-hz-1',
                                 'fanout-distribution-block-1-mib-500-hz-1'})


class Program(Folder):
    def plot(self, path, **environment):
        return subprocess.run([sys.executable, f'{ROOT}/bench/plot', path, '--output-dir',
                               f'{self.folder}/out'], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=os.environ | environment)

    def test_a_stored_run_is_drawn_as_it_was(self):
        self.draw(all_rows())
        self.assertEqual(self.plot(self.store(all_rows()), PATH='/nowhere').returncode, 0)
        for name in os.listdir(f'{self.folder}/out'):
            with open(f'{self.folder}/out/{name}', 'rb') as a, open(f'{self.folder}/{name}', 'rb') as b:
                self.assertEqual(a.read(), b.read(), name)

    @unittest.skipUnless(shutil.which('rsvg-convert'), 'rsvg-convert is missing (librsvg2-bin)')
    def test_each_picture_is_a_png_too(self):
        self.plot(self.store([row('a', subscribers=n) for n in (1, 4)]))
        names = os.listdir(f'{self.folder}/out')
        self.assertEqual(sorted(n[:-4] for n in names if n.endswith('.png')),
                         sorted(n[:-4] for n in names if n.endswith('.svg')))
        with open(f'{self.folder}/out/fanout-cpu-1-mib-500-hz.png', 'rb') as f:
            self.assertEqual(f.read(8), b'\x89PNG\r\n\x1a\n')

    def test_without_a_converter_there_is_svg_and_the_package_is_named(self):
        done = self.plot(self.store(all_rows()), PATH='/nowhere')
        self.assertEqual(done.returncode, 0)
        self.assertIn('librsvg2-bin', done.stderr)
        self.assertFalse([n for n in os.listdir(f'{self.folder}/out') if n.endswith('.png')])

    def test_a_file_of_something_else_is_refused_with_its_line(self):
        for text in ('{}\n', 'no\n', '3\n', '{"suite": "x", "contender": "a", "bytes": 1}\n'):
            path = self.store([row('a')])
            with open(path, 'a', encoding='utf-8') as f:
                f.write(text)
            done = self.plot(path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f'{path}:2: not a row', done.stderr)

    def test_nothing_to_draw_is_said(self):
        done = self.plot(self.store([row('a', error='broke')]))
        self.assertEqual((done.returncode, 'nothing to draw' in done.stderr), (1, True))


class Growth(unittest.TestCase):
    def grown(self, stored, growth, key):
        return {r['contender']: r[key] for r in rows.make_growth(stored) if r['growth'] == growth}

    def test_each_further_subscriber_adds_the_slope(self):
        # 1 MB: 0.01 s/GB are 10 us
        stored = [row('a', 1000000, subscribers=n, cpu=0.05 + 0.01 * n) for n in (1, 4, 16)]
        self.assertAlmostEqual(self.grown(stored, 'subscriber', 'us_per_subscriber')['a'], 10)

    def test_a_copy_doubles_with_the_size_and_a_hand_over_does_not_grow(self):
        stored = [row('copy', size, cpu=0.1) for size in (MIB, 4 * MIB, 32 * MIB)]
        stored += [row('hand', size, cpu=0.1 * MIB / size) for size in (MIB, 4 * MIB, 32 * MIB)]
        factors = self.grown(stored, 'doubling', 'factor_per_doubling')
        self.assertAlmostEqual(factors['copy'], 2)
        self.assertAlmostEqual(factors['hand'], 1)

    def test_what_was_not_varied_does_not_grow(self):
        self.assertEqual(rows.make_growth([row('a'), row('b')]), [])

    def test_failures_say_nothing_about_growth(self):
        stored = [row('a', subscribers=1), row('a', subscribers=4, cpu=None, error='broke')]
        self.assertEqual(rows.make_growth(stored), [])

    def test_the_table_has_a_line_for_each_contender_and_as_many_cells_in_each(self):
        lines = rows.to_growth_table(rows.make_growth(all_rows())).strip().split('\n')[2:]
        self.assertEqual({line.count('|') for line in lines}, {lines[0].count('|')})
        self.assertEqual([re.match(r'\| (\w*)', line)[1] for line in lines[2:]], ['lidard', 'pipe'])


if __name__ == '__main__':
    unittest.main()
