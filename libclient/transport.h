/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport.h - how slices reach this process
 *
 * The library's side of a transport; lidard's side is a sink.  client.c and
 * subscription.c know only this header.
 *
 * The iceoryx transport (transport_iox.c) is a shared object of its own,
 * liblidard-iox.so, because iceoryx's runtime is a singleton that cannot be
 * started again: for each life of RouDi the library loads the object into a
 * fresh link-map namespace (dlmopen), which also keeps C++ out of the host
 * process.  Such a namespace has a libc of its own: nothing may be freed
 * across the border, no FILE, no errno; only this table and plain memory.
 */
#ifndef LIBCLIENT_TRANSPORT_H
#define LIBCLIENT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "lidard/frame.h"

/** Most slices the transport lets a subscription hold. */
#define TRANSPORT_NAME_MAX 101

struct transport_subscription;

struct transport_subscribe {
	/** As lidard said in its reply to Subscribe. */
	const char *service;
	const char *instance;
	const char *event;
	uint32_t queue;
};

/** As lidard said in its reply to Hello. */
struct transport_start {
	/** Which life of the broker. */
	const char *broker;
	/** This process's name in it. */
	const char *runtime_name;
	/** Whom the memory is for; "": the broker's own group. */
	const char *reader_group;
	const char *writer_group;
	uint32_t reader_gid;
	uint32_t writer_gid;
};

struct transport_ops {
	/** sizeof(struct transport_ops), checked by the loader. */
	uint32_t bytes;
	/**
	 * Is the transport's broker there? Never blocks.
	 * Return: 0; -ECONNREFUSED; -EACCES.
	 */
	int (*probe)(void);
	/**
	 * Start the process-wide runtime, once for each loaded object, if this process
	 * can reach the broker's memory. @error: a sentence for a person, "" if there is none.
	 * Return: 0; as probe(); -EXDEV the broker seen here is not lidard's, or its memory is
	 * other memory; -EACCES this user may not use it; -ENOMEM; -EMFILE;
	 * -ENOTRECOVERABLE the runtime died before.
	 */
	int (*start)(const struct transport_start *start, char *error, uint32_t error_bytes);
	/** Return: 0; -EUSERS the broker has no room; -ENOMEM; -ENOTRECOVERABLE. */
	int (*subscribe)(const struct transport_subscribe *params,
			 struct transport_subscription **ret_subscription);
	/** Return: is its memory free again, or gone with its broker? NULL is allowed. */
	bool (*unsubscribe)(struct transport_subscription *s);
	/** Connected to a publisher? */
	bool (*is_connected)(struct transport_subscription *s);
	/** Hot path. */
	bool (*has_data)(struct transport_subscription *s);
	/**
	 * Sleep until there is data, to until_ns of CLOCK_MONOTONIC at most; once there is an
	 * fd, better on that.
	 * Return: 1 there may be data; 0 time is over; -EINTR a signal arrived;
	 * -ENOTRECOVERABLE; as get_fd().
	 */
	int (*wait)(struct transport_subscription *s, uint64_t until_ns);
	/**
	 * An eventfd that becomes readable with new data. Return: the fd, lent; negative errno.
	 */
	int (*get_fd)(struct transport_subscription *s);
	/**
	 * Hot path. Return: 1 lent; 0 none; -EMFILE too many are lent;
	 * -ENOTRECOVERABLE.
	 */
	int (*take)(struct transport_subscription *s,
		    const struct lidard_slice_header **ret_header, const void **ret_payload);
	/** Hot path. */
	void (*release)(struct transport_subscription *s, const void *payload);
};

/** The symbol every transport object exports. */
#define TRANSPORT_SYMBOL "lidard_transport"
extern const struct transport_ops lidard_transport;

#endif /* LIBCLIENT_TRANSPORT_H */
