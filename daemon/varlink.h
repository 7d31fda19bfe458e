/* SPDX-License-Identifier: Apache-2.0 */
/*
 * varlink.h - one connection of the control socket
 *
 * JSON objects, each ended by a NUL byte; calls are answered in order, one for
 * each turn of the loop, and the next call is not read before the answer to the
 * last one has left.  So a peer that sends without end or does not read costs
 * the daemon no more than one call and one answer, and its sensors no more than
 * the time of one call.  Calls are bounded (VARLINK_CALL_MAX), and so are
 * answers: the connection is closed then.
 */
#ifndef DAEMON_VARLINK_H
#define DAEMON_VARLINK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/loop.h"

/** Longest call, the NUL included; the longest there is takes a few hundred bytes. */
#define VARLINK_CALL_MAX (64u * 1024)

struct varlink;

struct varlink_handler {
	/**
	 * A call came. Answer it with exactly one varlink_reply() or varlink_error().
	 * @parameters: borrowed; an object, empty if the call had none
	 */
	void (*call)(struct varlink *v, const char *method, json_object *parameters);
	/** The connection is over; the handler frees what it had for it. v is freed after. */
	void (*closed)(struct varlink *v);
};

struct varlink {
	struct loop_watch watch;
	struct loop *loop;
	const struct varlink_handler *handler;
	/** The handler's own. */
	void *context;
	/** Distinguishes connections for as long as the daemon runs. */
	uint64_t id;

	char *in;
	size_t in_bytes;
	size_t in_size;
	char *out;
	size_t out_bytes;
	/** Goes with the first byte of out; -1: none. */
	int out_fd;
	bool oneway;
	bool broken;
};

/**
 * varlink_new() - serve a connected socket
 * @fd: taken on success
 *
 * Frees itself when the connection ends, after handler->closed().
 * Return: 0 or negative errno.
 */
int varlink_new(struct loop *loop, int fd, const struct varlink_handler *handler, void *context,
		struct varlink **ret_varlink);
/** varlink_free() - end the connection from our side. Return: NULL. */
struct varlink *varlink_free(struct varlink *v);

/** varlink_reply() - takes @parameters; @fd (or -1) is borrowed and sent along */
void varlink_reply(struct varlink *v, json_object *parameters, int fd);
/** varlink_error() - takes @parameters (may be NULL) */
void varlink_error(struct varlink *v, const char *error, json_object *parameters,
		   const char *message);

/**
 * varlink_feed() - bytes as if they had come by the socket; for fuzzing
 *
 * Return: 0; -EPROTO the connection is to be closed.
 */
int varlink_feed(struct varlink *v, const char *bytes, size_t count);

/* Parameters; false: missing or of another type. */
bool varlink_get_string(json_object *parameters, const char *key, const char **ret_value);
bool varlink_get_uint(json_object *parameters, const char *key, uint64_t *ret_value);

/** A u64 as JSON. */
static inline json_object *varlink_uint(uint64_t value)
{
	return json_object_new_uint64(value);
}

#endif /* DAEMON_VARLINK_H */
