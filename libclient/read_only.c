/* SPDX-License-Identifier: Apache-2.0 */
/* read_only.c - see read_only.h */
#include "libclient/read_only.h"

#include <errno.h>
#include <sys/mman.h>

#include "common/mapping.h"

int read_only_protect(const void *address)
{
	struct mapping m;
	int r = mapping_find(address, &m);

	if (r < 0 || !m.writable)
		return r;
	return mprotect(m.start, m.bytes, PROT_READ) < 0 ? -errno : 0;
}
