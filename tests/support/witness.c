/* SPDX-License-Identifier: Apache-2.0 */
/*
 * witness.c - takes every chunk of a pool that is free, and watches whether somebody writes to it
 *
 *     witness NAME PAYLOAD_BYTES SECONDS
 *
 * Registers with RouDi as NAME: as "lidard" it is what gives a dead lidard's
 * chunks away.  What it is lent it paints, and looks at again and again.  Says
 * on stdout, one JSON object a line:
 *
 *     ready       registered; it begins to take chunks
 *     final       "chunks" it got, "written": bytes that changed in them
 */
#include <iceoryx_binding_c/api.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/pool.h"
#include "lidard/frame.h"

#define PUBLISHERS 60
#define PAINT      0xa5

static iox_pub_storage_t storage[PUBLISHERS];
static iox_pub_t publishers[PUBLISHERS];
static uint8_t *chunks[PUBLISHERS * POOL_PUBLISHER_LOANS];
static uint64_t chunk_count, written;
static uint32_t payload_bytes;

static void make_publishers(void)
{
	iox_pub_options_t options;
	char instance[16];
	unsigned int i;

	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	for (i = 0; i < PUBLISHERS; i++) {
		snprintf(instance, sizeof(instance), "%u", i);
		publishers[i] = iox_pub_init(&storage[i], "witness", instance, "chunk", &options);
	}
}

/* Return: false if there is none at the moment. */
static bool take_one(void)
{
	iox_pub_t publisher = publishers[chunk_count / POOL_PUBLISHER_LOANS];
	void *payload;

	if (iox_pub_loan_aligned_chunk_with_user_header(
		    publisher, &payload, payload_bytes, LIDARD_PAYLOAD_ALIGN,
		    sizeof(struct lidard_slice_header), 8) != AllocationResult_SUCCESS)
		return false;
	memset(payload, PAINT, payload_bytes);
	chunks[chunk_count++] = payload;
	return true;
}

static void look(uint64_t i)
{
	uint32_t at;

	if (chunks[i][0] == PAINT && memcmp(chunks[i], chunks[i] + 1, payload_bytes - 1) == 0)
		return;
	for (at = 0; at < payload_bytes; at++) {
		written += chunks[i][at] != PAINT;
		chunks[i][at] = PAINT;
	}
}

int main(int argc, char **argv)
{
	uint64_t end_ns, i;

	if (argc != 4)
		return 2;
	payload_bytes = (uint32_t)pool_payload_bytes(strtoull(argv[2], NULL, 10));
	iox_set_loglevel(Iceoryx_LogLevel_Off);
	iox_runtime_init(argv[1]);
	make_publishers();
	puts("{\"event\": \"ready\"}");
	fflush(stdout);
	end_ns = clock_now_ns() + strtoull(argv[3], NULL, 10) * NSEC_PER_SEC;
	while (clock_now_ns() < end_ns) {
		while (chunk_count < PUBLISHERS * POOL_PUBLISHER_LOANS && take_one())
			;
		for (i = 0; i < chunk_count; i++)
			look(i);
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	}
	printf("{\"event\": \"final\", \"chunks\": %" PRIu64 ", \"written\": %" PRIu64 "}\n",
	       chunk_count, written);
	fflush(stdout);
	/* without taking leave: RouDi may be gone by now */
	_exit(0);
}
