/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - anything at all as lidard.conf
 *
 * Beyond not crashing: what is refused has a message that names a line, and
 * what is accepted keeps every limit the rest of the daemon relies on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

#define EXPECT(condition)        \
	do {                     \
		if (!(condition)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_usable(const struct sensor_config *s)
{
	EXPECT(s->name[0] && memchr(s->name, '\0', sizeof(s->name)));
	EXPECT(s->slice_bytes >= LIDARD_SLICE_BYTES_MIN && s->slice_bytes <= LIDARD_SLICE_BYTES_MAX);
	EXPECT(s->first_slice_bytes <= s->slice_bytes);
	EXPECT(s->loans >= 2 && s->loans <= 256);
	EXPECT(s->queue >= 1 && s->queue <= LIDARD_QUEUE_MAX);
	EXPECT(s->held >= 1 && s->held <= LIDARD_HELD_MAX);
	EXPECT(s->queue + s->held <= s->subscriber_slices);
	EXPECT(s->sim_hz >= 0.1 && s->sim_hz <= 1000);
	EXPECT(s->sim_noise_mm >= 0 && s->sim_noise_mm <= 1000);
	EXPECT(s->replay_speed >= 0.001 && s->replay_speed <= 1000);
	EXPECT(memchr(s->replay_file, '\0', sizeof(s->replay_file)));
	EXPECT(s->source != SOURCE_KIND_REPLAY || s->replay_file[0] == '/');
	EXPECT(s->source != SOURCE_KIND_DEVICE ||
	       (s->device[0] == '/' &&
		(!s->first_slice_bytes || s->device_packets == DEVICE_PACKETS_DECODE)));
	EXPECT(sensor_config_equal(s, s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem problem = { "" };
	struct config *config = NULL;
	unsigned int i;
	int r;

	r = config_parse("f", (const char *)data, size, &config, &problem);
	if (r < 0) {
		EXPECT(r == -EINVAL && !config);
		EXPECT(strncmp(problem.text, "f:", 2) == 0);
		return 0;
	}
	EXPECT(config->sensor_count <= LIDARD_SENSORS_MAX);
	for (i = 0; i < config->sensor_count; i++)
		expect_usable(&config->sensors[i]);
	config_free(config);
	return 0;
}
