/* SPDX-License-Identifier: Apache-2.0 */
/* tools/ring_file.c, both threads as busy as they can be: for ThreadSanitizer. */
#include "tools/ring_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB (1u << 20)
#define STREAM_BYTES (64ull * MIB)

int main(void)
{
	uint64_t bytes = 8 * MIB, rate, added = 0, part = 1, refused = 0;
	static uint8_t piece[400000];
	struct ring_file ring;
	int fd = ring_file_create("/tmp", &bytes, &rate), r;

	if (fd < 0 || ring_file_start(&ring, fd, bytes, 2 * MIB) < 0) {
		fputs("ring_file_threads: cannot make a file\n", stderr);
		return 1;
	}
	while (added < STREAM_BYTES) {
		memset(piece, (int)added, part);
		if (ring_file_add(&ring, piece, part)) {
			added += part;
			part = 1 + added % sizeof(piece);
		} else {
			refused++;
			usleep(100);
		}
	}
	r = ring_file_stop(&ring);
	printf("%llu bytes, %llu times no room, result %d\n", (unsigned long long)added,
	       (unsigned long long)refused, r);
	close(fd);
	return r < 0;
}
