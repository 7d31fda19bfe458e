/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copies.h - one sender, one receiver, a socket: by each way that bytes can take
 *
 * A path is a struct copies_path in a file of its own and a row in
 * bench/copies/paths.  It sends frames (bench/fanout/frame.h) that lie in memory or
 * in a file, as fast as it goes; the receiver read()s every byte into its buffer and
 * checks each frame, and is the same for all (receive.c).
 *
 * Whatever fails ends the program with a sentence; what this kernel cannot do, with 77.
 */
#ifndef BENCH_COPIES_H
#define BENCH_COPIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** What the frames of a file, or in memory, take together; more than caches hold. */
#define COPIES_BYTES (128ull << 20)

enum copies_source {
	/** The sender's own memory, as a device left it there. */
	COPIES_MEMORY,
	/** A file whose pages are cached. */
	COPIES_CACHE,
	/** A file none of whose pages is, each time it is begun anew. */
	COPIES_DISK,
	/** A file opened with O_DIRECT. */
	COPIES_DIRECT,
	COPIES_SOURCE_COUNT,
};

/** What a process has used so far. */
struct copies_usage {
	uint64_t now_ns;
	uint64_t cpu_ns;
	/** System calls on the way of the bytes, by its own counting. */
	uint64_t calls;
	/** Switches to another thread: because it waited, because it was made to. */
	uint64_t voluntary;
	uint64_t involuntary;
	/** Read from a block device for it. */
	uint64_t disk_bytes;
};

/** What sender and receiver share. */
struct copies_page {
	/** The receiver's. */
	struct copies_usage begin;
	struct copies_usage end;
	/** The sender's: number of the frame that ends it, set before it is sent. */
	uint64_t last;
};

struct copies {
	const struct copies_path *path;
	enum copies_source source;
	bool tcp;
	/** Of a frame; and how many there are, after which the first comes again. */
	uint64_t bytes;
	uint64_t count;
	/** The sender's end of the socket, and the file's, or -1. */
	int socket;
	int file;
	/** COPIES_MEMORY: the frames. */
	uint8_t *memory;
	struct copies_page *page;
	/** The path's. */
	void *own;
	/**
	 * Counted by the path, from the first frame on: system calls; sends without a copy that
	 * were asked for and have been told about, and those where the kernel copied after all.
	 */
	uint64_t calls;
	uint64_t told;
	uint64_t copied;
};

struct copies_path {
	const char *name;
	/** Make ready. NULL: nothing to do. */
	void (*open)(struct copies *c);
	/** Send a whole frame. */
	void (*send)(struct copies *c, uint64_t index);
	/** Until the kernel has let go of all memory. NULL: it always has. */
	void (*finish)(struct copies *c);
	/** Let go of the file's pages, so that they can leave the cache. NULL: it holds none. */
	void (*forget)(struct copies *c);
};

/** The paths that were built, ended by NULL: made from bench/copies/paths. */
extern const struct copies_path *const copies_paths[];

/** The life of the receiver's process: frames from the first to the last. */
_Noreturn void copies_receive(const struct copies *c, int socket);

/** What this process has used; @calls is its own count. */
struct copies_usage copies_get_usage(uint64_t calls);

/** So many frames do not count. */
#define COPIES_WARM_UP 16u

/** End with errno. */
_Noreturn void copies_give_up(const char *what);
/** End with 77, and the reason. */
_Noreturn void copies_skip(const char *reason);

/** Memory that starts at a page. */
void *copies_alloc(uint64_t bytes);

/** What a path's send() begins with: where the frame lies in memory or in the file. */
static inline uint64_t copies_get_offset(const struct copies *c, uint64_t index)
{
	return index * c->bytes;
}

/** write() all of it into the socket, counting calls. */
void copies_write(struct copies *c, const void *data, uint64_t bytes);

/** splice() so many bytes from a pipe into the socket, counting calls. */
void copies_drain_pipe(struct copies *c, int pipe_fd, uint64_t bytes);

/** A pipe of 1 MiB, the most anybody may ask for. */
void copies_make_pipe(int ends[2]);
#define COPIES_PIPE_BYTES (1u << 20)

#endif /* BENCH_COPIES_H */
