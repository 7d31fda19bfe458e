/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture.
 *
 * Input: a pcap or pcapng file. It is read twice, so that a rewind starts from
 * whatever the first pass left; every byte of every datagram is looked at.
 */
#include <stdlib.h>

#include "daemon/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void check(bool promise)
{
	if (!promise)
		abort();
}

static uint64_t read_pass(struct capture *c, size_t size)
{
	struct problem problem;
	struct datagram d;
	uint64_t count = 0;
	size_t i;
	int result;

	while ((result = capture_next(c, &d, &problem)) > CAPTURE_END) {
		if (result != CAPTURE_DATAGRAM)
			continue;
		count++;
		check(d.bytes <= 65507 && d.time_ns < INT64_MAX);
		for (i = 0; i < d.bytes; i++)
			sink += d.data[i];
	}
	/* a record takes at least its header's 16 bytes */
	check(count <= size / 16);
	check(capture_next(c, &d, &problem) == CAPTURE_END);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem problem;
	struct capture_stats stats;
	struct capture *c;
	uint64_t count;

	if (capture_open_memory("fuzz", data, size, &c, &problem) < 0) {
		check(problem.text[0]);
		return 0;
	}
	count = read_pass(c, size);
	check(capture_rewind(c, &problem) == 0);
	check(read_pass(c, size) == count);
	capture_get_stats(c, &stats);
	check(stats.datagrams == 2 * count);
	check(stats.datagrams + stats.other_records + stats.truncated_records +
	      stats.malformed_records <= stats.records);
	capture_free(c);
	return 0;
}
