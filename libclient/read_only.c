/* SPDX-License-Identifier: Apache-2.0 */
/* read_only.c - see read_only.h */
#include "libclient/read_only.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "common/cleanup.h"

int read_only_protect(const void *address)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t at = (uintptr_t)address, low, high;
	char line[512], access[5];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		/* the rest of an overlong line does not look like this */
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &low, &high, access) != 3 ||
		    at < low || at >= high)
			continue;
		if (access[1] != 'w')
			return 0;
		return mprotect((void *)low, high - low, PROT_READ) < 0 ? -errno : 0;
	}
	return -ENOENT;
}
