/* SPDX-License-Identifier: Apache-2.0 */
/* reservation.c - see reservation.h */
#include "libclient/reservation.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "libclient/client.h"
#include "libclient/page.h"

static bool name_is_sane(const char *name)
{
	return name && name[0] && strlen(name) < TRANSPORT_NAME_MAX;
}

static int read_names(struct json_object *p, struct transport_subscribe *t)
{
	t->service = varlink_get_string(p, "service");
	t->instance = varlink_get_string(p, "instance");
	t->event = varlink_get_string(p, "event");
	return name_is_sane(t->service) && name_is_sane(t->instance) && name_is_sane(t->event) ?
		       0 :
		       -EPROTO;
}

/* The number first: whatever else is wrong, it can then be given back. */
static int read_grant(struct reservation_grant *g)
{
	struct json_object *p = g->reply.parameters;
	uint64_t queue, held;

	if (varlink_get_u64(p, "subscription", INT64_MAX, &g->id) < 0 ||
	    varlink_get_u64(p, "queue", LIDARD_QUEUE_MAX, &queue) < 0 ||
	    varlink_get_u64(p, "held", LIDARD_HELD_MAX, &held) < 0 ||
	    varlink_get_u64(p, "slice_bytes", LIDARD_SLICE_BYTES_MAX, &g->slice_bytes) < 0)
		return -EPROTO;
	if (queue == 0 || held == 0)
		return -EPROTO;
	g->queue = (uint32_t)queue;
	g->held = (uint32_t)held;
	g->transport.queue = g->queue;
	return read_names(p, &g->transport);
}

static int subscribe(struct reservation *r, uint64_t deadline_ns, struct varlink_reply *ret_reply)
{
	struct json_object *p = json_object_new_object();
	int result;

	if (!p)
		return -ENOMEM;
	json_object_object_add(p, "sensor", json_object_new_string(r->sensor));
	json_object_object_add(p, "queue", json_object_new_int64(r->queue));
	json_object_object_add(p, "held", json_object_new_int64(r->held));
	json_object_object_add(p, "policy", json_object_new_int64(r->policy));
	result = client_exchange(r->client, LIDARD_METHOD_SUBSCRIBE, p, deadline_ns, ret_reply);
	json_object_put(p);
	return result;
}

/* Return: 0 or lidard's answer; -ENOTCONN, -ETIMEDOUT, -ENOMEM: there was none. */
static int unsubscribe(struct lidard_client *c, uint64_t id, uint64_t deadline_ns)
{
	struct json_object *p = json_object_new_object();
	struct varlink_reply reply;
	int result;

	if (!p)
		return -ENOMEM;
	json_object_object_add(p, "subscription", json_object_new_int64((int64_t)id));
	result = client_exchange(c, LIDARD_METHOD_UNSUBSCRIBE, p, deadline_ns, &reply);
	if (result == 0)
		varlink_reply_deinit(&reply);
	json_object_put(p);
	return result;
}

static int renew_page(struct reservation *r, int fd)
{
	return r->page ? page_replace(r->page, fd) : page_map(fd, &r->page);
}

int reservation_request(struct reservation *r, uint64_t deadline_ns,
			struct reservation_grant *ret_grant)
{
	struct reservation_grant g = { 0 };
	int result;

	result = subscribe(r, deadline_ns, &g.reply);
	if (result < 0)
		return result;
	result = read_grant(&g);
	if (result < 0) {
		client_fail(r->client, result, "%s: lidard's answer made no sense",
			    LIDARD_METHOD_SUBSCRIBE);
	} else {
		result = renew_page(r, g.reply.fd);
		if (result < 0)
			client_fail(r->client, result, "lidard's counters page could not be mapped");
	}
	if (result < 0) {
		reservation_withdraw(r, &g, deadline_ns);
		return result;
	}
	*ret_grant = g;
	return 0;
}

void reservation_confirm(struct reservation *r, struct reservation_grant *grant)
{
	r->id = grant->id;
	r->connection = r->client->connection;
	varlink_reply_deinit(&grant->reply);
}

void reservation_withdraw(struct reservation *r, struct reservation_grant *grant,
			  uint64_t deadline_ns)
{
	char error[sizeof(r->client->error)];

	strcpy(error, r->client->error);
	if (grant->id)
		unsubscribe(r->client, grant->id, deadline_ns);
	strcpy(r->client->error, error);
	varlink_reply_deinit(&grant->reply);
}

bool reservation_is_live(const struct reservation *r)
{
	return client_is_connected(r->client) && r->id && r->connection == r->client->connection;
}

void reservation_cancel(struct reservation *r, uint64_t deadline_ns)
{
	/* without an answer lidard may have it still: the next connection asks again */
	if (r->id) {
		unsubscribe(r->client, r->id, deadline_ns);
		if (client_is_connected(r->client))
			r->id = 0;
	}
}

void reservation_deinit(struct reservation *r)
{
	r->page = page_unmap(r->page);
}
