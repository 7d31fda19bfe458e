/* SPDX-License-Identifier: Apache-2.0 */
/* connect.h - reach lidard, or say in one line why not and what to do */
#ifndef TOOLS_CONNECT_H
#define TOOLS_CONNECT_H

#include <json-c/json.h>

#include "lidard/lidard.h"

/**
 * connect_lidard() - connect; complain on failure
 * @socket: control socket, NULL: the default
 * @name: shown in lidard's status
 * @ret_client: free with lidard_client_free()
 *
 * Return: 0, or as lidard_client_new().
 */
int connect_lidard(const char *socket, const char *name, struct lidard_client **ret_client);

/**
 * connect_call() - call a method without parameters, quietly
 * @ret_reply: free with json_object_put()
 *
 * Return: 0; -EPROTO; or as lidard_client_call().
 */
int connect_call(struct lidard_client *client, const char *method,
		 struct json_object **ret_reply);

/** As connect_call(), and complains on failure. */
int connect_call_or_complain(struct lidard_client *client, const char *method,
			     struct json_object **ret_reply);

struct snapshot;

/**
 * connect_get_snapshot() - ask for lidard's status; complain on failure
 * @ret_snapshot: free with snapshot_free()
 *
 * Return: 0, or as connect_call() and snapshot_parse().
 */
int connect_get_snapshot(struct lidard_client *client, struct snapshot **ret_snapshot);

/** connect_subscribe() - subscribe; complain on failure. Return: as lidard_subscribe(). */
int connect_subscribe(struct lidard_client *client, const char *sensor,
		      const struct lidard_subscribe_opts *opts,
		      struct lidard_subscription **ret_subscription);

#endif /* TOOLS_CONNECT_H */
