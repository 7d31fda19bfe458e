/* SPDX-License-Identifier: Apache-2.0 */
/* owned.c - see owned.h */
#include "tests/kmod/owned.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kmod/sim.h"

uint64_t owned_number_in(const char *path, const char *key)
{
	uint64_t number = 0;
	char line[256];
	FILE *f = fopen(path, "re");

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, key);

		if (at)
			number = strtoull(at + strlen(key) + strspn(at + strlen(key), ": \t"), NULL, 10);
	}
	fclose(f);
	return number;
}

static uint64_t open_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	while (folder && readdir(folder))
		count++;
	closedir(folder);
	return count;
}

void owned_look(struct owned *owned)
{
	/* each processor counts for itself, and tells now and then */
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("/proc/sys/vm/stat_refresh: %s", strerror(errno));
	close(fd);
	owned->pins = owned_number_in("/proc/vmstat", "nr_foll_pin_acquired") -
		      owned_number_in("/proc/vmstat", "nr_foll_pin_released");
	owned->locked_kb = owned_number_in("/proc/self/status", "VmLck:");
	owned->fds = open_fds();
	owned->dma_entries_free = owned_number_in("/sys/kernel/debug/dma-api/num_free_entries", "");
	owned->dmabufs = owned_number_in("/sys/kernel/debug/dma_buf/bufinfo", "Total ");
}

const char *owned_leak(const struct owned *before)
{
	struct owned now;

	owned_look(&now);
	if (now.pins != before->pins)
		return "pinned pages leaked";
	if (now.locked_kb != before->locked_kb)
		return "the account of locked memory leaked";
	if (now.fds != before->fds)
		return "an fd leaked";
	if (now.dmabufs != before->dmabufs)
		return "a dma-buf leaked";
	if (now.dma_entries_free != before->dma_entries_free)
		return "a DMA mapping leaked";
	return NULL;
}
