/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_config.c - lidard.conf: what is understood, what is refused and how the
 * mistake is named, what drop-ins may do
 */
#include "daemon/config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config_key.h"

static struct config *parse_or_fail(const char *text)
{
	struct config *config = NULL;
	struct problem problem = { "" };
	int r = config_parse("test.conf", text, strlen(text), &config, &problem);

	cr_assert_eq(r, 0, "%d: %s", r, problem.text);
	cr_assert_not_null(config);
	return config;
}

/** @text must be refused with a message that holds every one of @words. */
static void refuse_bytes(const char *text, size_t length, const char *const *words)
{
	struct config *config = (struct config *)1;
	struct problem problem = { "" };
	int r = config_parse("test.conf", text, length, &config, &problem);

	cr_assert_eq(r, -EINVAL, "%d for:\n%s", r, text);
	cr_assert_eq(config, (struct config *)1, "written on failure");
	for (; *words; words++)
		cr_assert(strstr(problem.text, *words), "\"%s\" is not in: %s", *words,
			  problem.text);
}
#define refuse(text, ...) refuse_bytes(text, strlen(text), (const char *[]){ __VA_ARGS__, NULL })

static void refuse_value(const char *section, const char *key, const char *value)
{
	char text[8192], named[4200];

	snprintf(text, sizeof(text), "%s\n%s = %s\n", section, key, value);
	snprintf(named, sizeof(named), "%s =", key);
	refuse(text, "test.conf:2: ", section, named, "must be");
}

Test(config, an_empty_file_configures_no_sensor_and_all_defaults)
{
	struct config *config = parse_or_fail("");

	cr_assert_str_eq(config->socket, "/run/lidard/control");
	cr_assert_str_eq(config->state_dir, "/run/lidard");
	cr_assert_str_eq(config->reclaim_helper, "");
	cr_assert_str_eq(config->writer_group, "lidard");
	cr_assert_str_eq(config->reader_group, "lidar");
	cr_assert_eq(config->sensor_count, 0);
	config_free(config);
}

Test(config, a_sensor_section_alone_is_a_sensor_with_all_defaults)
{
	struct config *config = parse_or_fail("[sensor front]");
	const struct sensor_config *s = config->sensors;

	cr_assert_eq(config->sensor_count, 1);
	cr_assert_str_eq(s->name, "front");
	cr_assert_eq(s->source, SOURCE_KIND_SIM);
	cr_assert_eq(s->slice_bytes, 1 << 20);
	cr_assert_eq(s->first_slice_bytes, 0);
	cr_assert_eq(s->loans, 8);
	cr_assert_eq(s->subscriber_slices, 256);
	cr_assert_eq(s->queue, 32);
	cr_assert_eq(s->held, 16);
	cr_assert_eq(s->crc, false);
	cr_assert_eq(s->sim_beams, 128);
	cr_assert_eq(s->sim_columns, 1024);
	cr_assert_eq(s->sim_returns, 1);
	cr_assert_eq(s->sim_hz, 10.0);
	cr_assert_eq(s->sim_noise_mm, 10.0);
	cr_assert_eq(s->sim_seed, 1);
	cr_assert_eq(s->sim_rate, 0);
	cr_assert_eq(s->sim_fill_delay_us, 0);
	cr_assert_eq(s->sim_ready_delay_us, 0);
	cr_assert_str_eq(s->replay_file, "");
	cr_assert_eq(s->replay_pace, REPLAY_PACE_CAPTURE);
	cr_assert_eq(s->replay_speed, 1.0);
	cr_assert_eq(s->replay_loop, true);
	cr_assert_eq(s->replay_subscribers, 0);
	cr_assert_str_eq(s->device, "/dev/lidar0");
	cr_assert_eq(s->device_mode, DEVICE_MODE_AUTO);
	cr_assert_eq(s->device_format, DEVICE_FORMAT_AUTO);
	cr_assert_eq(s->device_packets, DEVICE_PACKETS_RAW);
	cr_assert_str_eq(s->listen, "");
	cr_assert_str_eq(s->interface, "");
	cr_assert_str_eq(s->from, "");
	cr_assert_eq(s->silence_ms, 1000);
	cr_assert_eq(s->receive_buffer, 0);
	cr_assert_str_eq(s->decoder, "auto");
	cr_assert_str_eq(s->model, "");
	cr_assert_str_eq(s->metadata, "");
	cr_assert_str_eq(s->calibration, "");
	cr_assert_eq(s->cut_angle_deg, 0);
	config_free(config);
}

Test(config, a_device_needs_nothing_but_its_source_and_has_slots_of_one_size)
{
	struct config *config = parse_or_fail("[sensor front]\nsource = device\n");

	cr_assert_eq(config->sensors->source, SOURCE_KIND_DEVICE);
	config_free(config);
	refuse("[sensor front]\nsource = device\nfirst_slice_bytes = 64K\n", "test.conf:3: ",
	       "[sensor front]", "first_slice_bytes", "must be 0");
}

Test(config, a_device_whose_packets_are_decoded_copies)
{
	struct config *config = parse_or_fail("[sensor front]\nsource = device\n"
					      "device_packets = decode\nfirst_slice_bytes = 64K\n");

	config_free(config);
	refuse("[sensor front]\nsource = device\ndevice_packets = decode\ndevice_mode = direct\n",
	       "test.conf:4: ", "device_mode = direct", "device_packets = decode");
}

Test(config, a_sensor_on_the_network_needs_an_address_to_listen_at)
{
	struct config *config = parse_or_fail("[sensor front]\nsource = udp\n"
					      "listen = 0.0.0.0:7502\n");

	cr_assert_eq(config->sensors->source, SOURCE_KIND_UDP);
	config_free(config);
	refuse("[sensor front]\nsource = udp\n", "test.conf:2: ", "[sensor front]",
	       "listen = ADDRESS:PORT");
	refuse("[sensor front]\nsource = udp\nlisten = 10.0.0.1:7502\ninterface = eth1\n",
	       "test.conf:4: ", "interface = eth1", "multicast");
	refuse("[sensor front]\nsource = udp\nlisten = 10.0.0.1:7502\nlisten_status = 10.0.0.1:7502\n",
	       "test.conf:4: ", "listen_status = 10.0.0.1:7502", "same as listen");
}

Test(config, addresses_and_interfaces_are_what_they_say)
{
	static const char *const endpoints[] = {
		"7502", ":7502", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536",
		"10.0.0.1:07502", "10.0.0.1:+1", "10.0.0.1:75 02", "10.0.0:7502", "10.0.0.256:7502",
		"[::1]:7502", "sensor.local:7502", "0x0a.0.0.1:7502", "010.0.0.1:7502",
		"10.0.0.1:7502:1", "1234567890123456789012345:1",
	};
	size_t i;

	for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
		refuse_value("[sensor a]", "listen", endpoints[i]);
	refuse_value("[sensor a]", "from", "10.0.0.1:7502");
	refuse_value("[sensor a]", "from", "0.0.0.0");
	refuse_value("[sensor a]", "from", "::1");
	refuse_value("[sensor a]", "interface", "0123456789abcdef");
	refuse_value("[sensor a]", "interface", "eth0/1");
	refuse_value("[sensor a]", "silence_ms", "9");
	refuse_value("[sensor a]", "receive_buffer", "2G");
}

Test(config, every_key_is_read_into_its_member)
{
	struct config *config = parse_or_fail(
		"[lidard]\nsocket=/tmp/c\nstate_dir=/tmp/s\nreclaim_helper=/tmp/h\n"
		"[roudi]\nwriter_group=w\nreader_group=r\n"
		"[sensor rear-2_b]\nsource=replay\nslice_bytes=64K\nfirst_slice_bytes=8k\nloans=16\n"
		"subscriber_slices=100\nqueue=5\nheld=6\ncrc=yes\nsim_beams=2\nsim_columns=3\n"
		"sim_returns=2\nsim_hz=0.5\nsim_noise_mm=1.5\nsim_seed=18446744073709551615\n"
		"sim_rate=500M\nsim_fill_delay_us=7\nsim_ready_delay_us=8\nreplay_file=/tmp/f.pcap\nreplay_pace=readers\nreplay_speed=2e1\n"
		"replay_loop=off\nreplay_subscribers=3\ndevice=/dev/x\ndevice_mode=copy\n"
		"device_format=packets\ndevice_packets=decode\nlisten=239.1.2.3:7502\n"
		"interface=eth1\nfrom=10.0.0.7\nsilence_ms=0\nreceive_buffer=8M\ndecoder=d\nmodel=OS-1-128\nmetadata=/tmp/m\n"
		"calibration=/tmp/k\ncut_angle_deg=270.5\npose=1 2 3 0 0 180\n");
	const struct sensor_config *s = config->sensors;

	cr_assert_str_eq(config->socket, "/tmp/c");
	cr_assert_str_eq(config->state_dir, "/tmp/s");
	cr_assert_str_eq(config->reclaim_helper, "/tmp/h");
	cr_assert_str_eq(config->writer_group, "w");
	cr_assert_str_eq(config->reader_group, "r");
	cr_assert_str_eq(s->name, "rear-2_b");
	cr_assert_eq(s->source, SOURCE_KIND_REPLAY);
	cr_assert_eq(s->slice_bytes, 65536);
	cr_assert_eq(s->first_slice_bytes, 8192);
	cr_assert_eq(s->loans, 16);
	cr_assert_eq(s->subscriber_slices, 100);
	cr_assert_eq(s->queue, 5);
	cr_assert_eq(s->held, 6);
	cr_assert_eq(s->crc, true);
	cr_assert_eq(s->sim_beams, 2);
	cr_assert_eq(s->sim_columns, 3);
	cr_assert_eq(s->sim_returns, 2);
	cr_assert_eq(s->sim_hz, 0.5);
	cr_assert_eq(s->sim_noise_mm, 1.5);
	cr_assert_eq(s->sim_seed, UINT64_MAX);
	cr_assert_eq(s->sim_rate, 500ull << 20);
	cr_assert_eq(s->sim_fill_delay_us, 7);
	cr_assert_eq(s->sim_ready_delay_us, 8);
	cr_assert_str_eq(s->replay_file, "/tmp/f.pcap");
	cr_assert_eq(s->replay_pace, REPLAY_PACE_READERS);
	cr_assert_eq(s->replay_speed, 20.0);
	cr_assert_eq(s->replay_loop, false);
	cr_assert_eq(s->replay_subscribers, 3);
	cr_assert_str_eq(s->device, "/dev/x");
	cr_assert_eq(s->device_mode, DEVICE_MODE_COPY);
	cr_assert_eq(s->device_format, DEVICE_FORMAT_PACKETS);
	cr_assert_eq(s->device_packets, DEVICE_PACKETS_DECODE);
	cr_assert_str_eq(s->listen, "239.1.2.3:7502");
	cr_assert_str_eq(s->interface, "eth1");
	cr_assert_str_eq(s->from, "10.0.0.7");
	cr_assert_eq(s->silence_ms, 0);
	cr_assert_eq(s->receive_buffer, 8 << 20);
	cr_assert_str_eq(s->decoder, "d");
	cr_assert_str_eq(s->model, "OS-1-128");
	cr_assert_str_eq(s->metadata, "/tmp/m");
	cr_assert_str_eq(s->calibration, "/tmp/k");
	cr_assert_eq(s->cut_angle_deg, 270.5);
	cr_assert_eq(s->pose.known, 1);
	cr_assert_eq(s->pose.translation_m[2], 3);
	cr_assert_float_eq(s->pose.rotation[2], 1, 1e-12);
	config_free(config);
}

Test(config, blanks_comments_and_line_ends_of_any_system_do_not_matter)
{
	struct config *config = parse_or_fail("# a\n ; b\n\n\t[sensor front]\r\n  queue\t=  7 \r\n"
					      "held=3");

	cr_assert_eq(config->sensors[0].queue, 7);
	cr_assert_eq(config->sensors[0].held, 3);
	config_free(config);
}

Test(config, sensors_keep_the_order_of_the_file)
{
	struct config *config = parse_or_fail("[sensor b]\n[sensor a]\n[lidard]\n[sensor c]\n");

	cr_assert_eq(config->sensor_count, 3);
	cr_assert_str_eq(config->sensors[0].name, "b");
	cr_assert_str_eq(config->sensors[1].name, "a");
	cr_assert_str_eq(config->sensors[2].name, "c");
	config_free(config);
}

Test(config, every_spelling_of_yes_and_no_is_understood)
{
	static const char *const words[][2] = {
		{ "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" }, { "NO", "Yes" },
	};
	struct config *config;
	char text[64];
	size_t i, value;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (value = 0; value < 2; value++) {
			snprintf(text, sizeof(text), "[sensor a]\ncrc=%s\n", words[i][value]);
			config = parse_or_fail(text);
			cr_assert_eq(config->sensors[0].crc, value == 1, "%s", words[i][value]);
			config_free(config);
		}
	refuse_value("[sensor a]", "crc", "maybe");
	refuse_value("[sensor a]", "crc", "2");
}

Test(config, sizes_count_in_powers_of_1024)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 }, { "4096", 4096 }, { "1k", 1 << 10 }, { "1K", 1 << 10 }, { "3m", 3 << 20 },
		{ "3M", 3 << 20 }, { "2g", 2ull << 30 }, { "64G", 64ull << 30 },
	};
	struct config *config;
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[sensor a]\nsim_rate=%s\n", cases[i].text);
		config = parse_or_fail(text);
		cr_assert_eq(config->sensors[0].sim_rate, cases[i].bytes, "%s", cases[i].text);
		config_free(config);
	}
}

Test(config, what_is_not_quite_a_size_is_refused)
{
	static const char *const values[] = {
		"", "K", "1T", "1KB", "1 K", "-1", "+1", "0x10", "1.5M", "1,5", "65G",
		"18446744073709551616", "99999999999999999999G", "17179869184G",
	};
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		refuse_value("[sensor a]", "sim_rate", values[i]);
}

Test(config, what_is_not_quite_a_number_is_refused)
{
	static const char *const values[] = {
		"", "x", "1x", "-1", "+1", " 1 1", "0x10", "1.0", "1e1", "1K", "4294967297",
		"18446744073709551617",
	};
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		refuse_value("[sensor a]", "queue", values[i]);
}

Test(config, what_is_not_quite_a_real_number_is_refused)
{
	static const char *const values[] = {
		"", "x", "1x", "1,5", "nan", "inf", "-inf", "1e999", "0x1p3", "1 2", ".", "e", "-1",
	};
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		refuse_value("[sensor a]", "sim_hz", values[i]);
}

Test(config, a_real_number_is_read_alike_in_every_locale)
{
	static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8", "C" };
	struct config *config;
	size_t i;

	for (i = 0; i < sizeof(locales) / sizeof(locales[0]); i++) {
		if (!setlocale(LC_ALL, locales[i]))
			continue;
		config = parse_or_fail("[sensor a]\nsim_hz=2.5\n");
		cr_assert_eq(config->sensors[0].sim_hz, 2.5);
		config_free(config);
	}
}

/** The limits of each key: the extremes pass, one beyond is refused. */
Test(config, limits_hold_at_both_ends)
{
	static const struct {
		const char *key, *low, *high, *too_low, *too_high;
	} cases[] = {
		{ "slice_bytes", "4096", "64M", "4095", "67108865" },
		{ "first_slice_bytes", "0", "1M", "1", "65M" },
		{ "first_slice_bytes", "4096", "1048576", "4095", "67108865" },
		{ "loans", "2", "256", "1", "257" },
		{ "subscriber_slices", "48", "65536", "1", "65537" },
		{ "queue", "1", "240", "0", "257" },
		{ "held", "1", "224", "0", "256" },
		{ "sim_beams", "1", "1024", "0", "1025" },
		{ "sim_columns", "1", "1048576", "0", "1048577" },
		{ "sim_returns", "1", "2", "0", "3" },
		{ "sim_hz", "0.1", "1000", "0.09999", "1000.01" },
		{ "sim_noise_mm", "0", "1000", "-0.1", "1000.1" },
		{ "sim_fill_delay_us", "0", "1000000", "-1", "1000001" },
		{ "sim_ready_delay_us", "0", "1000000", "-1", "1000001" },
		{ "replay_speed", "0.001", "1000", "0.0009", "1001" },
		{ "replay_subscribers", "0", "256", "-1", "257" },
	};
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "[sensor a]\n%s=%s\n", cases[i].key, cases[i].low);
		config_free(parse_or_fail(text));
		snprintf(text, sizeof(text), "[sensor a]\n%s=%s\n", cases[i].key, cases[i].high);
		config_free(parse_or_fail(text));
		refuse_value("[sensor a]", cases[i].key, cases[i].too_low);
		refuse_value("[sensor a]", cases[i].key, cases[i].too_high);
	}
}

Test(config, a_refused_value_is_shown_with_what_would_be_right)
{
	refuse("[sensor front]\n\nqueue = 300\n", "test.conf:3: ", "[sensor front] queue = 300",
	       "1 to 256");
	refuse("[sensor front]\nsource = radar\n", "sim, replay, device or udp");
	refuse("[sensor front]\ncrc = maybe\n", "yes or no");
	refuse("[sensor front]\nslice_bytes = 1\n", "4K to 64M");
	refuse("[lidard]\nsocket = control\n", "absolute path");
}

Test(config, a_comment_behind_a_value_is_refused_and_explained)
{
	refuse("[sensor a]\nqueue = 7 # deep\n", "comments need a line of their own");
	refuse("[sensor a]\nreplay_file = /a ; b\n", "comments need a line of their own");
}

Test(config, paths_are_absolute_and_fit)
{
	char path[200];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[107] = '\0';
	refuse_value("[lidard]", "socket", "run/control");
	refuse_value("[lidard]", "socket", "");
	refuse_value("[lidard]", "state_dir", "");
	path[107] = 'a';
	path[108] = '\0';
	refuse_value("[lidard]", "socket", path);
}

Test(config, a_group_is_a_group_name_or_empty)
{
	struct config *config = parse_or_fail("[roudi]\nwriter_group =\nreader_group=\n");

	cr_assert_str_eq(config->writer_group, "");
	cr_assert_str_eq(config->reader_group, "");
	config_free(config);
	refuse_value("[roudi]", "writer_group", "../x");
	refuse_value("[roudi]", "writer_group", "a b");
	refuse_value("[roudi]", "writer_group", "0a");
	refuse_value("[roudi]", "writer_group", "abcdefghijabcdefghijabcdefghijab");
}

Test(config, an_unknown_section_or_key_is_refused)
{
	refuse("[lidar]\n", "test.conf:1: ", "[lidar]", "unknown section", "[sensor NAME]");
	refuse("[lidard x]\n", "unknown section");
	refuse("[]\n", "unknown section");
	refuse("[sensors front]\n", "unknown section");
	refuse("[lidard]\ncolour = red\n", "test.conf:2: ", "[lidard] colour", "unknown key");
	refuse("[sensor a]\nQueue = 1\n", "unknown key");
}

Test(config, a_key_of_another_section_is_sent_there)
{
	refuse("[sensor a]\nsocket = /x\n", "belongs in section [lidard]");
	refuse("[lidard]\nqueue = 1\n", "belongs in section [sensor NAME]");
	refuse("[lidard]\nwriter_group = x\n", "belongs in section [roudi]");
}

Test(config, lines_that_are_nothing_are_refused)
{
	refuse("[lidard]\nsocket\n", "test.conf:2: ", "socket", "key = value");
	refuse("[lidard]\n= 1\n", "test.conf:2: ", "key = value");
	refuse("[lidard\n", "ends with ]");
	refuse("[lidard] # x\n", "ends with ]");
	refuse("queue = 1\n", "test.conf:1: ", "before the first section");
}

Test(config, a_sensors_name_is_checked)
{
	refuse("[sensor]\n", "name the sensor");
	refuse("[sensor ]\n", "name the sensor");
	refuse("[sensor Front]\n", "starts with a letter");
	refuse("[sensor 1a]\n", "starts with a letter");
	refuse("[sensor a/b]\n", "starts with a letter");
	refuse("[sensor a b]\n", "starts with a letter");
	refuse("[sensor abcdefghijabcdefghijabcdefghijab]\n", "at most 31");
	config_free(parse_or_fail("[sensor abcdefghijabcdefghijabcdefghija]\n"));
}

Test(config, a_sensor_given_twice_in_a_file_is_refused)
{
	refuse("[sensor a]\n[sensor b]\n[sensor a]\n", "test.conf:3: ", "[sensor a]", "line 1");
}

Test(config, a_key_given_twice_in_a_file_is_refused)
{
	refuse("[sensor a]\nqueue = 1\nheld = 1\nqueue = 1\n", "test.conf:4: ", "[sensor a] queue",
	       "line 2");
	refuse("[lidard]\nsocket = /a\n[sensor a]\n[lidard]\nsocket = /b\n", "test.conf:5: ",
	       "line 2");
	/* but each sensor has its own */
	config_free(parse_or_fail("[sensor a]\nqueue = 1\n[sensor b]\nqueue = 1\n"));
}

Test(config, more_sensors_than_the_limit_are_refused)
{
	char text[LIDARD_SENSORS_MAX * 16 + 32];
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < LIDARD_SENSORS_MAX; i++)
		used += (size_t)sprintf(text + used, "[sensor s%u]\n", i);
	config_free(parse_or_fail(text));
	strcpy(text + used, "[sensor last]\n");
	refuse(text, "test.conf:33: ", "at most 32 sensors");
}

Test(config, lines_and_files_have_a_limit)
{
	char *text = malloc(CONFIG_LINES_MAX + CONFIG_LINE_MAX + 16);

	memset(text, '#', CONFIG_LINE_MAX);
	text[CONFIG_LINE_MAX] = '\0';
	config_free(parse_or_fail(text));
	text[CONFIG_LINE_MAX] = '#';
	text[CONFIG_LINE_MAX + 1] = '\0';
	refuse(text, "test.conf:1: ", "line too long", "4096");

	memset(text, '\n', CONFIG_LINES_MAX);
	text[CONFIG_LINES_MAX] = '\0';
	config_free(parse_or_fail(text));
	strcpy(text + CONFIG_LINES_MAX, "#");
	refuse(text, "at most 10000 lines");
	free(text);
}

Test(config, a_nul_byte_is_refused)
{
	static const char text[] = "[lidard]\nsocket = /a\0b\n";

	refuse_bytes(text, sizeof(text) - 1, (const char *[]){ "test.conf:2: ", "NUL", NULL });
}

Test(config, a_message_never_repeats_control_characters)
{
	struct config *config;
	struct problem problem = { "" };
	const char *text = "[lidard]\n\033[31mred\n";

	cr_assert_eq(config_parse("t", text, strlen(text), &config, &problem), -EINVAL);
	cr_assert_null(strchr(problem.text, '\033'), "%s", problem.text);
}

Test(config, keys_that_contradict_each_other_are_refused_where_the_later_one_stands)
{
	refuse("[sensor a]\nfirst_slice_bytes = 2M\nqueue = 1\n", "test.conf:2: ",
	       "first_slice_bytes = 2097152", "at most slice_bytes = 1048576");
	refuse("[sensor a]\nfirst_slice_bytes = 64K\nslice_bytes = 32K\n", "test.conf:3: ");
	refuse("[sensor a]\nqueue = 200\nheld = 57\n", "test.conf:3: ", "queue = 200", "held = 57",
	       "subscriber_slices = 256");
	refuse("[sensor a]\nsubscriber_slices = 47\n", "test.conf:2: ", "subscriber_slices = 47");
	config_free(parse_or_fail("[sensor a]\nsubscriber_slices = 48\n"));
}

Test(config, a_replay_needs_its_capture)
{
	refuse("[sensor a]\n\nsource = replay\n", "test.conf:3: ", "[sensor a]", "replay_file");
	refuse("[sensor a]\nsource = replay\nreplay_file =\n", "replay_file");
	config_free(parse_or_fail("[sensor a]\nsource = replay\nreplay_file = /a.pcap\n"));
}

Test(config, a_sensor_with_an_imu_has_a_small_stream_beside_it)
{
	struct config *config = parse_or_fail("[sensor a]\nsource = replay\nreplay_file = /c\nimu = yes\n"
					      "slice_bytes = 16M\ncrc = yes\n[sensor b]\n");
	const struct sensor_config *side;

	cr_assert_eq(config->sensor_count, 3);
	side = &config->sensors[2];
	cr_assert_str_eq(side->name, "a/imu");
	cr_assert_eq(side->source, SOURCE_KIND_SIDE);
	cr_assert_eq(side->slice_bytes, 4096);
	cr_assert_eq(side->loans, CONFIG_SIDE_LOANS);
	cr_assert(side->crc && !side->imu);
	cr_assert_leq(side->queue + side->held, side->subscriber_slices);
	config_free(config);
}

Test(config, an_imu_needs_packets_and_room_for_its_name)
{
	refuse("[sensor a]\nimu = yes\n", "test.conf:2", "imu = yes", "packets");
	refuse("[sensor a]\nsource = device\nimu = yes\n", "test.conf:3", "device_packets = decode");
	refuse("[sensor abcdefghijklmnopqrstuvwxyz01]\nsource = replay\nreplay_file = /c\nimu = yes\n",
	       "test.conf:4", "shorter");
	config_free(parse_or_fail("[sensor abcdefghijklmnopqrstuvwxyz0]\nsource = replay\n"
				  "replay_file = /c\nimu = yes\n"));
}

Test(config, an_imu_counts_as_a_sensor)
{
	char text[LIDARD_SENSORS_MAX * 64] = "";
	unsigned int i;

	for (i = 0; i < LIDARD_SENSORS_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "[sensor s%u]\nsource = replay\nreplay_file = /c\n", i);
	strcat(text, "imu = yes\n");
	refuse(text, "imu = yes", "at most 32 sensors");
}

Test(config, sensors_are_equal_if_every_key_is_but_those_that_are_followed)
{
	struct config *a = parse_or_fail("[sensor a]\nmodel = longer\n");
	struct config *b = parse_or_fail("[sensor a]\nmodel = longer\nqueue = 32\n");
	unsigned int i;

	cr_assert(sensor_config_equal(a->sensors, b->sensors));
	for (i = 0; i < config_key_count; i++) {
		char *member = (char *)b->sensors + config_keys[i].offset;

		if (config_keys[i].section != CONFIG_SECTION_SENSOR)
			continue;
		member[0] ^= 1;
		cr_assert_eq(sensor_config_equal(a->sensors, b->sensors), config_keys[i].live, "%s",
			     config_keys[i].name);
		member[0] ^= 1;
	}
	b->sensors[0].name[0] = 'b';
	cr_assert(!sensor_config_equal(a->sensors, b->sensors));
	config_free(a);
	config_free(b);
}

/* What a pose does to a point a metre ahead, and to one a metre above. */
static void expect_pose(const char *text, const double at[3], const double ahead[3],
			const double above[3])
{
	char file[128];
	struct config *config;
	const struct pose *p;
	const double *q;
	double r[3][3];
	int i;

	snprintf(file, sizeof(file), "[sensor a]\npose = %s\n", text);
	config = parse_or_fail(file);
	p = &config->sensors[0].pose;
	q = p->rotation;
	r[0][0] = 1 - 2 * (q[1] * q[1] + q[2] * q[2]);
	r[1][0] = 2 * (q[0] * q[1] + q[2] * q[3]);
	r[2][0] = 2 * (q[0] * q[2] - q[1] * q[3]);
	r[0][2] = 2 * (q[0] * q[2] + q[1] * q[3]);
	r[1][2] = 2 * (q[1] * q[2] - q[0] * q[3]);
	r[2][2] = 1 - 2 * (q[0] * q[0] + q[1] * q[1]);
	cr_assert_eq(p->known, 1);
	for (i = 0; i < 3; i++) {
		cr_assert_float_eq(p->translation_m[i], at[i], 1e-9, "%s: translation %d", text, i);
		cr_assert_float_eq(r[i][0], ahead[i], 1e-9, "%s: ahead %d: %g", text, i, r[i][0]);
		cr_assert_float_eq(r[i][2], above[i], 1e-9, "%s: above %d: %g", text, i, r[i][2]);
	}
	config_free(config);
}

#define XYZ(...) ((const double[3]){ __VA_ARGS__ })

Test(config, a_pose_turns_by_roll_then_pitch_then_yaw_of_the_base_frame)
{
	struct config *config = parse_or_fail("[sensor a]\n[sensor b]\npose =\n");

	cr_assert_eq(config->sensors[0].pose.known, 0);
	cr_assert_eq(config->sensors[1].pose.known, 0);
	config_free(config);
	expect_pose("0 0 0 0 0 0", XYZ(0, 0, 0), XYZ(1, 0, 0), XYZ(0, 0, 1));
	expect_pose("1.5 -2 1e-1 0 0 90", XYZ(1.5, -2, 0.1), XYZ(0, 1, 0), XYZ(0, 0, 1));
	/* nose down */
	expect_pose("0 0 0 0 90 0", XYZ(0, 0, 0), XYZ(0, 0, -1), XYZ(1, 0, 0));
	/* to the right */
	expect_pose("0 0 0 90 0 0", XYZ(0, 0, 0), XYZ(1, 0, 0), XYZ(0, -1, 0));
	/* each order of the three gives another pair */
	expect_pose("0 0 0 90 90 90", XYZ(0, 0, 0), XYZ(0, 0, -1), XYZ(1, 0, 0));
	expect_pose("0 0 0 90 0 90", XYZ(0, 0, 0), XYZ(0, 1, 0), XYZ(1, 0, 0));
	expect_pose("0 0 0 0 90 90", XYZ(0, 0, 0), XYZ(0, 0, -1), XYZ(0, 1, 0));
	expect_pose("0 0 0 90 90 0", XYZ(0, 0, 0), XYZ(0, 0, -1), XYZ(0, -1, 0));
	/* a quarter turn to the left */
	expect_pose("1\t2 3  0 0 0.7071 0.7071", XYZ(1, 2, 3), XYZ(0, 1, 0), XYZ(0, 0, 1));
}

Test(config, what_is_not_quite_a_pose_is_refused)
{
	static const char *const values[] = {
		"0", "0 0 0", "0 0 0 0 0", "0 0 0 0 0 0 0", "0 0 0 0 0 0 0 1 0", "1,2,3,0,0,0",
		"a 0 0 0 0 0", "nan 0 0 0 0 0", "0 0 0 inf 0 0", "0x1 0 0 0 0 0", "1m 0 0 0 0 0",
		"10001 0 0 0 0 0", "0 0 -1e5 0 0 0", "0 0 0 361 0 0", "0 0 0 0 -360.5 0",
		"0 0 0 0.5 0.5 0.5 0.6", "0 0 0 1e308 1e308 1e308 1e308",
		"10001 0 0 0 0 0 1", "1. 2. 3. . 0 0",
	};
	static char blanks[POSE_TEXT_MAX + 16];
	size_t i;

	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		refuse_value("[sensor a]", "pose", values[i]);
	memset(blanks, ' ', sizeof(blanks) - 1);
	memcpy(blanks, "0 0 0 0 0", 9);
	blanks[sizeof(blanks) - 2] = '0';
	refuse_value("[sensor a]", "pose", blanks);
	refuse("[sensor a]\n\npose = 1 2 3\n", "test.conf:3: ", "[sensor a] pose = 1 2 3",
	       "6 numbers");
}

Test(config, a_running_sensor_follows_a_new_pose_and_nothing_else)
{
	struct config *a = parse_or_fail("[sensor a]\npose = 1 0 0 0 0 0\nqueue = 5\n");
	struct config *b = parse_or_fail("[sensor a]\npose = 2 0 0 0 0 0\nqueue = 6\n");

	cr_assert(sensor_config_follow(a->sensors, b->sensors));
	cr_assert_eq(a->sensors[0].pose.translation_m[0], 2);
	cr_assert_eq(a->sensors[0].queue, 5);
	cr_assert(!sensor_config_follow(a->sensors, b->sensors));
	config_free(a);
	config_free(b);
}

/* ---- files and drop-ins ---- */

static char directory[64];

static void make_directory(void)
{
	char path[128];

	strcpy(directory, "/tmp/lidard-test-config-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lidard.conf.d", directory);
	cr_assert_eq(mkdir(path, 0755), 0);
}

static void remove_directory(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	cr_assert_eq(system(command), 0);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(struct config **ret_config, struct problem *problem)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/lidard.conf", directory);
	return config_load(path, ret_config, problem);
}

static struct config *load_or_fail(void)
{
	struct problem problem = { "" };
	struct config *config = NULL;

	cr_assert_eq(load(&config, &problem), 0, "%s", problem.text);
	return config;
}

static void refuse_load(int error, const char *words)
{
	struct problem problem = { "" };
	struct config *config = NULL;

	cr_assert_eq(load(&config, &problem), error, "%s", problem.text);
	cr_assert(strstr(problem.text, words), "%s", problem.text);
}

TestSuite(config_files, .init = make_directory, .fini = remove_directory);

Test(config_files, a_missing_main_file_is_an_error_that_names_it)
{
	refuse_load(-ENOENT, "lidard.conf: No such file");
}

Test(config_files, a_main_file_needs_no_dropins)
{
	char path[128];

	write_file("lidard.conf", "[sensor a]\n");
	snprintf(path, sizeof(path), "%s/lidard.conf.d", directory);
	cr_assert_eq(rmdir(path), 0);
	config_free(load_or_fail());
}

Test(config_files, dropins_override_in_lexical_order)
{
	struct config *config;

	write_file("lidard.conf", "[sensor a]\nqueue = 1\nheld = 1\nloans = 4\n");
	write_file("lidard.conf.d/20-b.conf", "[sensor a]\nqueue = 3\n");
	write_file("lidard.conf.d/10-a.conf", "[sensor a]\nqueue = 2\nheld = 2\n");
	config = load_or_fail();
	cr_assert_eq(config->sensor_count, 1);
	cr_assert_eq(config->sensors[0].queue, 3);
	cr_assert_eq(config->sensors[0].held, 2);
	cr_assert_eq(config->sensors[0].loans, 4);
	config_free(config);
}

Test(config_files, a_dropin_may_add_a_sensor)
{
	struct config *config;

	write_file("lidard.conf", "[sensor a]\n");
	write_file("lidard.conf.d/b.conf", "[sensor b]\n");
	config = load_or_fail();
	cr_assert_eq(config->sensor_count, 2);
	cr_assert_str_eq(config->sensors[1].name, "b");
	config_free(config);
}

Test(config_files, files_that_do_not_end_in_conf_and_hidden_ones_are_left_alone)
{
	write_file("lidard.conf", "");
	write_file("lidard.conf.d/a.conf~", "junk");
	write_file("lidard.conf.d/README", "junk");
	write_file("lidard.conf.d/.a.conf", "junk");
	config_free(load_or_fail());
}

Test(config_files, a_mistake_in_a_dropin_names_the_dropin)
{
	write_file("lidard.conf", "[sensor a]\n\n\n");
	write_file("lidard.conf.d/b.conf", "[sensor a]\nqueue = x\n");
	refuse_load(-EINVAL, "lidard.conf.d/b.conf:2: [sensor a] queue = x");
}

Test(config_files, a_section_does_not_run_on_into_the_next_file)
{
	write_file("lidard.conf", "[sensor a]\n");
	write_file("lidard.conf.d/b.conf", "queue = 1\n");
	refuse_load(-EINVAL, "b.conf:1: a key before the first section");
}

Test(config_files, keys_of_different_files_that_contradict_are_refused_at_the_later_one)
{
	write_file("lidard.conf", "[sensor a]\nfirst_slice_bytes = 64K\n");
	write_file("lidard.conf.d/b.conf", "[sensor a]\nslice_bytes = 32K\n");
	refuse_load(-EINVAL, "b.conf:2: [sensor a] first_slice_bytes");
}

Test(config_files, a_dropin_may_complete_what_the_main_file_left_open)
{
	write_file("lidard.conf", "[sensor a]\nsource = replay\n");
	write_file("lidard.conf.d/b.conf", "[sensor a]\nreplay_file = /a.pcap\n");
	config_free(load_or_fail());
}

Test(config_files, a_file_beyond_the_size_limit_is_refused)
{
	char *text = malloc(CONFIG_FILE_MAX + 2);
	size_t i;

	for (i = 0; i <= CONFIG_FILE_MAX; i++)
		text[i] = i % 1000 == 0 ? '\n' : '#';
	text[i] = '\0';
	write_file("lidard.conf", text);
	refuse_load(-EINVAL, "too large");
	free(text);
}

Test(config_files, more_dropins_than_the_limit_are_refused)
{
	char name[64];
	unsigned int i;

	write_file("lidard.conf", "");
	for (i = 0; i < CONFIG_DROPINS_MAX; i++) {
		snprintf(name, sizeof(name), "lidard.conf.d/%04u.conf", i);
		write_file(name, "[lidard]\nsocket = /a\n");
	}
	config_free(load_or_fail());
	write_file("lidard.conf.d/x.conf", "");
	refuse_load(-EINVAL, "at most 256 files");
}

/* ---- what is shipped ---- */

static char *print_or_fail(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	cr_assert_not_null(f);
	print(f);
	fclose(f);
	return text;
}

static char *source_file_or_fail(const char *name)
{
	const char *root = getenv("LIDARD_SOURCE_ROOT");
	char path[4096];
	char *text = NULL;
	size_t size = 0;
	FILE *f;

	if (!root)
		cr_skip_test("LIDARD_SOURCE_ROOT is not set; run by meson test");
	snprintf(path, sizeof(path), "%s/%s", root, name);
	f = fopen(path, "r");
	cr_assert_not_null(f, "%s", path);
	cr_assert(getdelim(&text, &size, '\0', f) >= 0);
	fclose(f);
	return text;
}

Test(config, the_shipped_file_is_what_print_defaults_prints)
{
	char *printed = print_or_fail(config_print_defaults);
	char *shipped = source_file_or_fail("config/lidard.conf");

	cr_assert_str_eq(printed, shipped, "write it anew with lidard --print-defaults");
	free(printed);
	free(shipped);
}

Test(config, the_shipped_file_configures_one_simulated_sensor_with_the_defaults)
{
	char *shipped = print_or_fail(config_print_defaults);
	struct config *config = parse_or_fail(shipped);
	struct config *plain = parse_or_fail("[sensor front]\n");

	cr_assert_eq(config->sensor_count, 1);
	cr_assert(sensor_config_equal(config->sensors, plain->sensors));
	config_free(config);
	config_free(plain);
	free(shipped);
}

Test(config, the_shipped_file_with_every_comment_sign_taken_off_a_key_means_the_same)
{
	char *shipped = print_or_fail(config_print_defaults), *p;
	struct config *config, *plain;

	/* "#key = value" has no blank behind the sign, a comment has one */
	for (p = shipped; *p; p++)
		if (p[0] == '#' && p[1] != ' ' && p[1] != '\n')
			*p = ' ';
	config = parse_or_fail(shipped);
	plain = parse_or_fail("[sensor front]\n");
	cr_assert(sensor_config_equal(config->sensors, plain->sensors));
	cr_assert_str_eq(config->socket, plain->socket);
	config_free(config);
	config_free(plain);
	free(shipped);
}

Test(config, the_man_page_lists_every_key_as_the_table_does)
{
	char *printed = print_or_fail(config_print_man_keys);
	char *page = source_file_or_fail("docs/man/lidard.conf.5");

	cr_assert(strstr(page, printed), "lidard.conf.5 must contain what config_print_man_keys() "
					 "prints:\n%s",
		  printed);
	free(printed);
	free(page);
}
