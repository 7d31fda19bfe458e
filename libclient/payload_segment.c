/* SPDX-License-Identifier: Apache-2.0 */
/* payload_segment.c - see payload_segment.h */
#include "libclient/payload_segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/mapping.h"

int payload_segment_protect(const void *chunk)
{
	struct mapping m;
	int r = mapping_find(chunk, &m);

	if (r < 0 || !m.writable)
		return r;
	return mprotect(m.start, m.bytes, PROT_READ) < 0 ? -errno : 0;
}

/* iceoryx keeps its files open, and the memory with them; the numbers remain iceoryx's. */
static void close_files(const struct mapping *m)
{
	CLEANUP(cleanup_fd) int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	DIR *dir = nothing < 0 ? NULL : opendir("/proc/self/fd");
	struct dirent *entry;
	struct stat st;
	int fd;

	while (dir && (entry = readdir(dir))) {
		fd = atoi(entry->d_name);
		if (fd > STDERR_FILENO && fstat(fd, &st) == 0 && st.st_ino == m->inode &&
		    st.st_dev == m->device)
			dup3(nothing, fd, O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
}

int payload_segment_drop(const void *chunk)
{
	struct mapping m;
	int r = mapping_find(chunk, &m);

	if (r < 0)
		return r;
	close_files(&m);
	return mmap(m.start, m.bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED ?
		       -errno :
		       0;
}
