/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varlink.h - call methods over a Unix socket
 *
 * The calling side of Varlink as docs/control.md has it: one JSON object and a
 * NUL byte each way, one call at a time, replies may carry one fd.  Every call
 * has a deadline (CLOCK_MONOTONIC).  What arrives is checked before it is
 * used; after any negative result the stream is of no use any more and the
 * caller closes it.
 *
 * A varlink is embedded in its owner and belongs to the owner's thread.
 */
#ifndef LIBCLIENT_VARLINK_H
#define LIBCLIENT_VARLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

struct varlink {
	/* -1 while closed */
	int fd;
};

struct varlink_reply {
	/** Owned; what the other two point into. */
	struct json_object *message;
	/** Name of the error, NULL on success. */
	const char *error;
	/** An object, perhaps empty, never NULL. */
	struct json_object *parameters;
	/** An fd that came along, or -1. */
	int fd;
};

/** Return: 0; -ENAMETOOLONG; -ETIMEDOUT; or connect()'s error. */
int varlink_open(struct varlink *v, const char *path, uint64_t deadline_ns);
/** Twice is fine. */
void varlink_close(struct varlink *v);

/** Has the other side hung up, or said something out of turn? Never blocks. */
bool varlink_is_broken(const struct varlink *v);

/**
 * varlink_call() - call a method and wait for its reply
 * @v: an open varlink
 * @method: fully qualified
 * @parameters: a JSON object, borrowed; NULL for none
 * @deadline_ns: CLOCK_MONOTONIC
 * @ret_reply: the reply, which may be an error; give to varlink_reply_deinit()
 *
 * Return: 0; -ENOTCONN the other side is gone; -ETIMEDOUT; -EPROTO; -ENOMEM; -EMSGSIZE.
 */
int varlink_call(struct varlink *v, const char *method, struct json_object *parameters,
		 uint64_t deadline_ns, struct varlink_reply *ret_reply);
/** Zeroed replies are fine but for fd, which must be -1. */
void varlink_reply_deinit(struct varlink_reply *reply);

/** Return: the member, lent; NULL if it is missing or not a string. */
const char *varlink_get_string(struct json_object *object, const char *key);
/** Return: 0; -EPROTO missing, not an integer, or outside 0 to max. */
int varlink_get_u64(struct json_object *object, const char *key, uint64_t max, uint64_t *ret_value);

#endif /* LIBCLIENT_VARLINK_H */
