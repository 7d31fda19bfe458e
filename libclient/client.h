/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - the connection to lidard, as its subscriptions see it
 *
 * A client owns the control connection and the list of its subscriptions.
 * When the connection ends, client_service() makes another one and has every
 * subscription resume; until then subscriptions keep the port they have, which
 * goes on delivering as long as the transport's broker lives.
 */
#ifndef LIBCLIENT_CLIENT_H
#define LIBCLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "libclient/fork_guard.h"
#include "libclient/transport_life.h"
#include "libclient/varlink.h"
#include "lidard/lidard.h"

struct json_object;

/** Time between two attempts to reach lidard. */
#define CLIENT_RETRY_NS (100 * NSEC_PER_MSEC)
/** While the application waits for slices, lidard may take this long to answer. */
#define CLIENT_RESUME_NS (200 * NSEC_PER_MSEC)

struct lidard_client {
	/* fork_guard.h */
	uint32_t generation;
	char *socket_path;
	char name[64];
	uint64_t timeout_ns;
	struct varlink link;
	/* counts connections; a subscription is live if it has the same number */
	uint32_t connection;
	/* who listens, and did it before the last reconnect */
	pid_t server_pid;
	bool same_server;
	/* the broker's life lidard named last; owned (a reference) */
	struct transport_life *life;
	/* CLOCK_MONOTONIC of the next attempt while not connected */
	uint64_t retry_ns;
	struct lidard_subscription *subscriptions;
	/* what lidard_client_get_error() shows */
	char error[512];
};

static inline bool client_is_connected(const struct lidard_client *c)
{
	return c->link.fd >= 0;
}

/** Is the control connection still good? Closes it if not. One system call. */
bool client_check(struct lidard_client *c);

/** Not connected and due: try once, briefly, and resume the subscriptions. */
void client_service(struct lidard_client *c, uint64_t now_ns);

/** Have a connection, making one if need be. Return: 0; -ENOTCONN, with the reason in c->error. */
int client_ensure(struct lidard_client *c);

/**
 * client_request() - one call, reconnecting first if need be
 * @c: the client
 * @method: fully qualified
 * @parameters: JSON object, borrowed, or NULL
 * @ret_reply: a reply that is no error; give to varlink_reply_deinit()
 *
 * Return: 0; -ENOTCONN; or the errno that stands for lidard's error, whose
 * text is then in c->error.
 */
int client_request(struct lidard_client *c, const char *method, struct json_object *parameters,
		   struct varlink_reply *ret_reply);

/** As client_request() on the connection there is, with a deadline. */
int client_exchange(struct lidard_client *c, const char *method, struct json_object *parameters,
		    uint64_t deadline_ns, struct varlink_reply *ret_reply);

/** client_fail_reply() - for a reply that is an error. Return: the errno that stands for it. */
int client_fail_reply(struct lidard_client *c, const struct varlink_reply *reply);

/** The life's transport died under us: ask lidard for another name. */
void client_abandon_life(struct lidard_client *c);

/** Keep a text for lidard_client_get_error(). Return: @error. */
int client_fail(struct lidard_client *c, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif /* LIBCLIENT_CLIENT_H */
