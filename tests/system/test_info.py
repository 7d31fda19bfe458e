#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is known of a sensor, asked of a running lidard: lidarctl info."""
import json
import os

import ouster
from harness import (ABSENT, BIN, DATA, HERE, Reader, Skip, System, case, check, equal,
                     find_sensor, main, run, sensor)
from ouster import close

OS1 = f'{DATA}/ouster/OS-1-128_v2.3.0_1024x10'


def info(name, *options, status=0):
    found, text = run(f'{BIN}/lidarctl', 'info', name, *options)
    equal(found, status, f'lidarctl info {name} {options}: {text[-300:]}')
    return text


def lines(text):
    """The words behind each label."""
    return dict(line.split(None, 1) for line in text.splitlines())


@case('a synthetic sensor, for people and as JSON')
def synthetic():
    System(sensor('front', sim_beams=16, sim_columns=512, sim_hz=20))
    found = lines(info('front'))
    equal((found['source'], found['vendor'], found['beams'], found['columns'], found['rate']),
          ('sim', 'lidard', '16', '512 a revolution', '20 Hz'), 'lines')
    check(found['pose'].startswith('not known'), f'pose: {found["pose"]}')
    front = json.loads(info('front', '--json'))
    equal((front['name'], front['beams'], front['columns'], front['pose'], front['decoder']),
          ('front', 16, 512, None, ''), 'JSON')
    close(front['rate_hz'], 20, 'rate')
    check('has no metadata file' in info('front', '--metadata', status=1), 'no reason')


@case('a sensor that does not exist is said, with exit status 1')
def unknown():
    System(sensor('front'))
    for option in ((), ('--json',), ('--metadata',)):
        text = info('rear', *option, status=1)
        check("there is no sensor 'rear'" in text, f'{option}: {text}')


@case('a new pose is told after a reload, and the stream goes on as if nothing had been')
def new_pose():
    system = System(sensor('front', pose='1.5 0 2 0 0 90'), sensor('rear'))
    equal(lines(info('front'))['pose'], 'x 1.5, y 0, z 2 m; roll 0, pitch 0, yaw 90 degrees', 'pose')
    reader = Reader('front', '--check', '--queue', 64)
    reader.wait_slices(20)
    before = find_sensor(system.status(), 'front')['incarnation']
    system.reload(sensor('front', pose='0 -1 0 180 0 0'), sensor('rear', pose='0 0 0 0 0 0 1'))
    system.lidard.wait_for_line('configuration loaded')
    pose = json.loads(info('front', '--json'))['pose']
    equal(pose['translation_m'], [0, -1, 0], 'translation')
    for found, expected in zip(pose['rotation_xyzw'], (1, 0, 0, 0)):
        close(found, expected, 'rotation')
    equal(json.loads(info('rear', '--json'))['pose']['rotation_xyzw'], [0, 0, 0, 1], 'of rear')
    reader.wait_slices(20)
    equal(find_sensor(system.status(), 'front')['incarnation'], before, 'incarnation')
    final = reader.finish()
    # a machine without a moment to spare loses slices by itself, but restarts nothing
    for what in ('violations', 'restarts'):
        equal(final[what], 0, what)
    # one that makes no sense changes nothing
    system.reload(sensor('front', pose='0 0'), sensor('rear'))
    system.lidard.wait_for_line('the configuration stays as it was')
    check('front] pose = 0 0: must be 6 numbers' in system.lidard.errors(), 'no reason')
    equal(json.loads(info('front', '--json'))['pose']['translation_m'], [0, -1, 0], 'translation')


@case('an Ouster: what its metadata say, and the file itself')
def real():
    if not os.path.exists(OS1 + '.json'):
        raise Skip(ABSENT)
    System(sensor('front', source='replay', replay_file=OS1 + '_lb_n3.pcap',
                  metadata=OS1 + '.json', slice_bytes='256K'))
    with open(OS1 + '.json', encoding='utf-8') as f:
        text = f.read()
    about = json.loads(text)
    about = about.get('sensor_info', about)
    front = json.loads(info('front', '--json'))
    for key, name in (('model', 'prod_line'), ('serial', 'prod_sn'), ('firmware', 'image_rev')):
        equal(front[key], about[name], key)
    equal((front['vendor'], front['decoder'], front['beams'], front['columns'], front['rate_hz']),
          ('Ouster', 'ouster', 128, 1024, 10), 'geometry')
    equal(front['metadata'], text, 'metadata')
    equal(info('front', '--metadata'), text, 'lidarctl info --metadata')
    found = lines(info('front'))
    equal((found['vendor'], found['model'], found['firmware']),
          ('Ouster', about['prod_line'], about['image_rev']), 'lines')


@case('a sensor whose metadata file has gone is told all the same')
def gone():
    path = HERE + '/made-up.json'
    ouster.write_metadata(path)
    ouster.write_capture(HERE + '/made-up.pcap', 3)
    System(sensor('front', source='replay', replay_file=HERE + '/made-up.pcap', metadata=path))
    os.unlink(path)
    found = lines(info('front'))
    equal((found['vendor'], found['beams']), ('Ouster', str(ouster.BEAMS)), 'vendor, beams')
    check(path in found['problem'], f'problem: {found["problem"]}')
    check(path in info('front', '--metadata', status=1), 'no reason')


if __name__ == '__main__':
    main()
