/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - see client.h and lidard/lidard.h */
#include "libclient/client.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "libclient/export.h"
#include "libclient/opts.h"
#include "libclient/subscription.h"
#include "lidard/control.h"

#define DEFAULT_TIMEOUT_NS NSEC_PER_SEC
/* Longest name of a broker's life. */
#define BROKER_MAX 256u
/* Longest name of a group. */
#define GROUP_MAX 64u

static const struct {
	const char *name;
	int error;
} errors[] = {
	{ LIDARD_ERROR_VERSION, -EPROTONOSUPPORT },
	{ LIDARD_ERROR_NO_SENSOR, -ENOENT },
	{ LIDARD_ERROR_NO_SPACE, -ENOSPC },
	{ LIDARD_ERROR_LIMIT, -EUSERS },
	{ LIDARD_ERROR_PERMISSION, -EACCES },
	{ LIDARD_ERROR_NO_METADATA, -ENODATA },
	{ LIDARD_ERROR_NO_PACKETS, -ENOTSUP },
	{ "org.varlink.service.InvalidParameter", -EINVAL },
};

int client_fail(struct lidard_client *c, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->error, sizeof(c->error), format, args);
	va_end(args);
	return error;
}

static int fail_transfer(struct lidard_client *c, int error, const char *method)
{
	varlink_close(&c->link);
	return client_fail(c, error, "%s: %s: %s", c->socket_path, method,
			   error == -EPROTO ? "lidard's answer made no sense" : strerror(-error));
}

int client_fail_reply(struct lidard_client *c, const struct varlink_reply *reply)
{
	const char *message = varlink_get_string(reply->parameters, "message");
	int error = -EREMOTEIO;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(reply->error, errors[i].name) == 0)
			error = errors[i].error;
	/* where errno says which error it is, the sentence is enough */
	if (message && error != -EREMOTEIO)
		return client_fail(c, error, "%s", message);
	if (message)
		return client_fail(c, error, "%s: %s", reply->error, message);
	return client_fail(c, error, "%s: %s", reply->error,
			   json_object_to_json_string_ext(reply->parameters,
							  JSON_C_TO_STRING_PLAIN));
}

int client_exchange(struct lidard_client *c, const char *method, struct json_object *parameters,
		    uint64_t deadline_ns, struct varlink_reply *ret_reply)
{
	struct varlink_reply reply;
	int r;

	r = varlink_call(&c->link, method, parameters, deadline_ns, &reply);
	if (r < 0)
		return fail_transfer(c, r, method);
	if (reply.error) {
		r = client_fail_reply(c, &reply);
		varlink_reply_deinit(&reply);
		return r;
	}
	*ret_reply = reply;
	return 0;
}

/* ---- Connecting ------------------------------------------------------------ */

static int hello(struct lidard_client *c, const char *runtime_name, uint64_t deadline_ns,
		 struct varlink_reply *ret_reply)
{
	struct json_object *p = json_object_new_object();
	struct varlink_reply reply;
	uint64_t version;
	int r;

	if (!p)
		return -ENOMEM;
	json_object_object_add(p, "version", json_object_new_int(LIDARD_CONTROL_VERSION));
	json_object_object_add(p, "program", json_object_new_string(c->name));
	json_object_object_add(p, "runtime_name", json_object_new_string(runtime_name));
	r = client_exchange(c, LIDARD_METHOD_HELLO, p, deadline_ns, &reply);
	json_object_put(p);
	if (r < 0)
		return r;
	if (varlink_get_u64(reply.parameters, "version", UINT32_MAX, &version) < 0) {
		varlink_reply_deinit(&reply);
		return fail_transfer(c, -EPROTO, LIDARD_METHOD_HELLO);
	}
	if (version != LIDARD_CONTROL_VERSION) {
		varlink_reply_deinit(&reply);
		return client_fail(c, -EPROTONOSUPPORT,
				   "lidard speaks version %llu of the control interface, not %d",
				   (unsigned long long)version, LIDARD_CONTROL_VERSION);
	}
	*ret_reply = reply;
	return 0;
}

/* Names come from outside: into a file name, into a text, and to be compared. */
static bool start_is_sane(const struct transport_start *s)
{
	const char *name = s->runtime_name;

	return strlen(s->broker) < BROKER_MAX && strlen(name) < TRANSPORT_NAME_MAX && name[0] &&
	       name[0] != '.' && !strchr(name, '/') && strlen(s->reader_group) < GROUP_MAX &&
	       strlen(s->writer_group) < GROUP_MAX;
}

/* Strings point into the reply. */
static int read_start(struct json_object *p, struct transport_start *ret_start)
{
	struct transport_start s = {
		.broker = varlink_get_string(p, "broker"),
		.runtime_name = varlink_get_string(p, "runtime_name"),
		.reader_group = varlink_get_string(p, "reader_group"),
		.writer_group = varlink_get_string(p, "writer_group"),
	};
	uint64_t reader_gid, writer_gid;

	if (!s.broker || !s.runtime_name || !s.reader_group || !s.writer_group ||
	    varlink_get_u64(p, "reader_gid", UINT32_MAX, &reader_gid) < 0 ||
	    varlink_get_u64(p, "writer_gid", UINT32_MAX, &writer_gid) < 0 || !start_is_sane(&s))
		return -EPROTO;
	s.reader_gid = (uint32_t)reader_gid;
	s.writer_gid = (uint32_t)writer_gid;
	*ret_start = s;
	return 0;
}

/* Lock of the lives held: two clients of one process must not get two names. */
static int agree_on_life(struct lidard_client *c, const char *current_name, uint64_t deadline_ns,
			 struct transport_life **ret_life)
{
	struct transport_start start;
	struct varlink_reply reply;
	int r;

	r = hello(c, current_name, deadline_ns, &reply);
	if (r < 0)
		return r;
	if (read_start(reply.parameters, &start) < 0)
		r = fail_transfer(c, -EPROTO, LIDARD_METHOD_HELLO);
	else if (transport_life_name_is_taken(start.broker, start.runtime_name))
		r = -EEXIST;
	else
		r = transport_life_ref(&start, ret_life);
	varlink_reply_deinit(&reply);
	return r;
}

static int open_link(struct lidard_client *c, uint64_t deadline_ns)
{
	int r;

	varlink_close(&c->link);
	r = varlink_open(&c->link, c->socket_path, deadline_ns);
	return r < 0 ? client_fail(c, r, "%s: %s", c->socket_path, strerror(-r)) : 0;
}

/*
 * lidard may confirm the name this process had in the life before; that one is
 * still locked by the old runtime, so for a new life ask for a new name.  It
 * takes another connection, since one stands for one name.
 */
static int open_life(struct lidard_client *c, uint64_t deadline_ns, struct transport_life **ret_life)
{
	int r;

	r = open_link(c, deadline_ns);
	if (r == 0)
		r = agree_on_life(c, transport_life_get_current_name(), deadline_ns, ret_life);
	if (r != -EEXIST)
		return r;
	r = open_link(c, deadline_ns);
	if (r == 0)
		r = agree_on_life(c, "", deadline_ns, ret_life);
	return r == -EEXIST ? fail_transfer(c, -EPROTO, LIDARD_METHOD_HELLO) : r;
}

/* Who listens at the other end? Return: 0 if it is not to be seen. */
static pid_t get_server_pid(const struct lidard_client *c)
{
	struct ucred cred = { 0 };
	socklen_t bytes = sizeof(cred);

	return getsockopt(c->link.fd, SOL_SOCKET, SO_PEERCRED, &cred, &bytes) < 0 ? 0 : cred.pid;
}

static int client_connect(struct lidard_client *c, uint64_t timeout_ns)
{
	uint64_t deadline_ns = clock_now_ns() + timeout_ns;
	struct transport_life *life = NULL;
	pid_t server_pid;
	int r;

	transport_life_lock();
	r = open_life(c, deadline_ns, &life);
	transport_life_unlock();
	if (r < 0) {
		varlink_close(&c->link);
		return r == -ENOTCONN ? -ECONNREFUSED : r;
	}
	transport_life_unref(c->life);
	c->life = life;
	c->connection++;
	server_pid = get_server_pid(c);
	c->same_server = server_pid && server_pid == c->server_pid;
	c->server_pid = server_pid;
	return 0;
}

static void resume_subscriptions(struct lidard_client *c)
{
	struct lidard_subscription *s;

	/* the same lidard still sets memory aside for what we had before */
	for (s = c->subscriptions; s && client_is_connected(c); s = s->next)
		subscription_forget(s, clock_now_ns() + CLIENT_RESUME_NS);
	for (s = c->subscriptions; s && client_is_connected(c); s = s->next)
		subscription_resume(s, clock_now_ns() + CLIENT_RESUME_NS);
}

static int reconnect(struct lidard_client *c, uint64_t timeout_ns)
{
	int r = client_connect(c, timeout_ns);

	c->retry_ns = clock_now_ns() + CLIENT_RETRY_NS;
	if (r == 0)
		resume_subscriptions(c);
	return r;
}

bool client_check(struct lidard_client *c)
{
	if (client_is_connected(c) && varlink_is_broken(&c->link))
		varlink_close(&c->link);
	return client_is_connected(c);
}

void client_service(struct lidard_client *c, uint64_t now_ns)
{
	if (!client_check(c) && now_ns >= c->retry_ns)
		reconnect(c, CLIENT_RESUME_NS);
}

void client_abandon_life(struct lidard_client *c)
{
	if (c->life)
		transport_life_set_dead(c->life);
	varlink_close(&c->link);
	c->retry_ns = clock_now_ns() + CLIENT_RETRY_NS;
}

int client_ensure(struct lidard_client *c)
{
	return client_check(c) || reconnect(c, c->timeout_ns) == 0 ? 0 : -ENOTCONN;
}

int client_request(struct lidard_client *c, const char *method, struct json_object *parameters,
		   struct varlink_reply *ret_reply)
{
	int r;

	c->error[0] = '\0';
	r = client_ensure(c);
	if (r < 0)
		return r;
	return client_exchange(c, method, parameters, clock_now_ns() + c->timeout_ns, ret_reply);
}

/* ---- The API --------------------------------------------------------------- */

static int read_opts(const struct lidard_client_opts *opts, struct lidard_client_opts *ret_opts)
{
	struct lidard_client_opts o = { .size = sizeof(o) };

	if (opts) {
		if (opts_check(opts, opts->size, sizeof(o)) < 0 || opts->timeout_ns < 0)
			return -EINVAL;
		o = *opts;
	}
	if (!o.socket_path)
		o.socket_path = secure_getenv("LIDARD_SOCKET");
	if (!o.socket_path || !o.socket_path[0])
		o.socket_path = LIDARD_CONTROL_SOCKET;
	if (!o.name)
		o.name = program_invocation_short_name;
	if (o.timeout_ns == 0)
		o.timeout_ns = DEFAULT_TIMEOUT_NS;
	*ret_opts = o;
	return 0;
}

LIDARD_EXPORT int lidard_client_new(const struct lidard_client_opts *opts,
				    struct lidard_client **ret_client)
{
	struct lidard_client_opts o;
	struct lidard_client *c;
	int r;

	r = read_opts(opts, &o);
	if (r == 0)
		r = fork_guard_init();
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->generation = fork_guard_get();
	c->link.fd = -1;
	c->timeout_ns = (uint64_t)o.timeout_ns;
	c->socket_path = strdup(o.socket_path);
	snprintf(c->name, sizeof(c->name), "%s", o.name);
	r = c->socket_path ? client_connect(c, c->timeout_ns) : -ENOMEM;
	if (r < 0) {
		lidard_client_free(c);
		return r;
	}
	*ret_client = c;
	return 0;
}

LIDARD_EXPORT struct lidard_client *lidard_client_free(struct lidard_client *client)
{
	if (!client)
		return NULL;
	while (client->subscriptions)
		lidard_subscription_free(client->subscriptions);
	varlink_close(&client->link);
	/* a child has forgotten the parent's lives */
	if (!fork_guard_is_foreign(client->generation))
		transport_life_unref(client->life);
	free(client->socket_path);
	free(client);
	return NULL;
}

LIDARD_EXPORT const char *lidard_client_get_error(const struct lidard_client *client)
{
	return fork_guard_is_foreign(client->generation) ? "" : client->error;
}

static int copy_text(const char *text, char **ret_text)
{
	char *copy = text ? strdup(text) : NULL;

	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

LIDARD_EXPORT int lidard_client_call(struct lidard_client *client, const char *method,
				     const char *parameters_json, char **ret_json)
{
	struct json_object *parameters = NULL;
	struct varlink_reply reply;
	int r;

	if (fork_guard_is_foreign(client->generation))
		return -ECHILD;
	if (parameters_json) {
		parameters = json_tokener_parse(parameters_json);
		if (!json_object_is_type(parameters, json_type_object)) {
			json_object_put(parameters);
			return client_fail(client, -EINVAL, "parameters are not a JSON object");
		}
	}
	client->error[0] = '\0';
	r = client_ensure(client);
	if (r == 0) {
		r = varlink_call(&client->link, method, parameters,
				 clock_now_ns() + client->timeout_ns, &reply);
		if (r < 0)
			fail_transfer(client, r, method);
	}
	json_object_put(parameters);
	if (r < 0)
		return r;
	if (reply.error) {
		client_fail_reply(client, &reply);
		r = copy_text(client->error, ret_json);
		if (r == 0)
			r = -EREMOTEIO;
	} else {
		r = copy_text(json_object_to_json_string_ext(reply.parameters,
							     JSON_C_TO_STRING_PLAIN),
			      ret_json);
	}
	varlink_reply_deinit(&reply);
	return r;
}

LIDARD_EXPORT const char *lidard_get_version(void)
{
	return LIDARD_VERSION;
}
