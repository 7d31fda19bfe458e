/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_memory.h - the memory of a virtual machine, shared with this process
 *
 * The machine's memory as vhost-user hands it over: up to GUEST_REGIONS files,
 * each a range of guest physical addresses.  An address from the guest is
 * turned into a pointer here, or refused; nothing else may do so.  A pointer is
 * good until the next guest_memory_clear().
 */
#ifndef TESTS_VM_GUEST_MEMORY_H
#define TESTS_VM_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* What vhost-user passes at most without further features. */
#define GUEST_REGIONS 8

struct guest_region {
	uint64_t guest; /* first guest physical address */
	uint64_t user; /* the same in QEMU's address space */
	uint64_t bytes;
	uint8_t *memory; /* the same here */
	void *mapping;
	size_t mapping_bytes;
};

struct guest_memory {
	struct guest_region regions[GUEST_REGIONS];
	unsigned int count;
};

/**
 * Map a region: bytes at offset of fd, which is lent.
 * Return: 0, -ENOSPC with GUEST_REGIONS of them, -EINVAL for a range that
 * wraps, or the error of mmap().
 */
int guest_memory_add(struct guest_memory *m, uint64_t guest, uint64_t user, uint64_t bytes,
		     uint64_t offset, int fd);
void guest_memory_clear(struct guest_memory *m);

/** Return: where these bytes at a guest physical address are; NULL unless all in one region. */
void *guest_memory_at(const struct guest_memory *m, uint64_t guest, uint64_t bytes);
/** The same by an address of QEMU's. */
void *guest_memory_at_user(const struct guest_memory *m, uint64_t user, uint64_t bytes);

#endif /* TESTS_VM_GUEST_MEMORY_H */
