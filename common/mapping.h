/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mapping.h - which of this process' mappings an address lies in
 *
 * iceoryx maps its segments by itself and tells nobody where; what has to be
 * done to a whole segment (populate it, protect it, give it back) starts
 * from the address of one chunk.
 */
#ifndef COMMON_MAPPING_H
#define COMMON_MAPPING_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

#include "common/cleanup.h"

struct mapping {
	void *start;
	size_t bytes;
	bool writable;
	/** Of the file, as in struct stat; 0 for none. */
	dev_t device;
	ino_t inode;
};

/** mapping_find() - the mapping that holds an address. Return: 0; -ENOENT there is none; -errno. */
static inline int mapping_find(const void *address, struct mapping *ret_mapping)
{
	CLEANUP(cleanup_file) FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t at = (uintptr_t)address, low, high;
	unsigned int major_number, minor_number;
	char line[512], access[5];
	uint64_t inode;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		/* the rest of an overlong line does not look like this */
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %x:%x %" SCNu64, &low, &high,
			   access, &major_number, &minor_number, &inode) != 6 ||
		    at < low || at >= high)
			continue;
		*ret_mapping = (struct mapping){
			.start = (void *)low,
			.bytes = high - low,
			.writable = access[1] == 'w',
			.device = makedev(major_number, minor_number),
			.inode = inode,
		};
		return 0;
	}
	return -ENOENT;
}

#endif /* COMMON_MAPPING_H */
