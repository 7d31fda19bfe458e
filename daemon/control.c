/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - see control.h */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/sensor_info.h"
#include "daemon/sink_iox.h"
#include "daemon/status.h"
#include "daemon/varlink.h"
#include "lidard/control.h"

/* Connections at the same time; more are turned away. */
#define CONNECTIONS_MAX (2 * LIDARD_CLIENTS_MAX)

struct control {
	struct daemon *daemon;
	struct loop_watch listen_watch;
	/** Kept to turn somebody away with when there are no others. */
	int spare_fd;
	char path[108];
	unsigned int connections;
	unsigned int recordings;
	LIST_HEAD(, connection) list;
};

/* What the handler keeps for each connection. */
struct connection {
	LIST_ENTRY(connection) link;
	struct control *control;
	struct varlink *varlink;
	/* After Hello. */
	struct client *client;
	/* After RecordPackets. */
	struct packet_tap *tap;
};

static struct connection *connection_of(struct varlink *v)
{
	return v->context;
}

static void reply_invalid(struct varlink *v, const char *parameter, const char *what)
{
	json_object *o = json_object_new_object();
	char text[160];

	snprintf(text, sizeof(text), "parameter %s must be %s", parameter, what);
	json_object_object_add(o, "parameter", json_object_new_string(parameter));
	varlink_error(v, "org.varlink.service.InvalidParameter", o, text);
}

/* ---- methods ---- */

static void call_get_info(struct varlink *v, json_object *parameters)
{
	json_object *o = json_object_new_object(), *interfaces = json_object_new_array();

	json_object_array_add(interfaces, json_object_new_string("org.varlink.service"));
	json_object_array_add(interfaces, json_object_new_string(LIDARD_INTERFACE));
	json_object_object_add(o, "vendor", json_object_new_string("lidard"));
	json_object_object_add(o, "product", json_object_new_string("lidard"));
	json_object_object_add(o, "version", json_object_new_string(LIDARD_VERSION));
	json_object_object_add(o, "url", json_object_new_string(""));
	json_object_object_add(o, "interfaces", interfaces);
	varlink_reply(v, o, -1);
}

static void reply_client_error(struct varlink *v, int error)
{
	json_object *o = json_object_new_object();

	if (error == -EUSERS) {
		json_object_object_add(o, "what", json_object_new_string("clients"));
		json_object_object_add(o, "limit", varlink_uint(LIDARD_CLIENTS_MAX));
		varlink_error(v, LIDARD_ERROR_LIMIT, o, "too many clients");
		return;
	}
	json_object_object_add(o, "reason", json_object_new_string(strerror(-error)));
	varlink_error(v, LIDARD_ERROR_PERMISSION, o,
		      error == -EPERM ? "lidard cannot watch a process of another PID namespace" :
					"lidard cannot keep account of this client");
}

static void add_access(json_object *o, const struct memory_access *a)
{
	json_object_object_add(o, "reader_group", json_object_new_string(a->reader_group));
	json_object_object_add(o, "reader_gid", varlink_uint(a->reader_gid));
	json_object_object_add(o, "writer_group", json_object_new_string(a->writer_group));
	json_object_object_add(o, "writer_gid", varlink_uint(a->writer_gid));
}

static void call_hello(struct varlink *v, json_object *parameters)
{
	struct connection *c = connection_of(v);
	const char *program, *runtime_name;
	json_object *o;
	uint64_t version;
	int r;

	if (!varlink_get_uint(parameters, "version", &version))
		return reply_invalid(v, "version", "a number");
	if (!varlink_get_string(parameters, "program", &program))
		return reply_invalid(v, "program", "a string");
	if (!varlink_get_string(parameters, "runtime_name", &runtime_name))
		return reply_invalid(v, "runtime_name", "a string");
	o = json_object_new_object();
	json_object_object_add(o, "version", varlink_uint(LIDARD_CONTROL_VERSION));
	if (version != LIDARD_CONTROL_VERSION)
		return varlink_error(v, LIDARD_ERROR_VERSION, o,
				     "client and lidard are of different versions");
	if (!c->client) {
		r = client_get(&c->control->daemon->clients, v->watch.fd, program, runtime_name,
			       &c->client);
		if (r < 0) {
			json_object_put(o);
			return reply_client_error(v, r);
		}
	}
	json_object_object_add(o, "server", json_object_new_string("lidard " LIDARD_VERSION));
	json_object_object_add(o, "transport", json_object_new_string("iceoryx"));
	json_object_object_add(
		o, "broker", json_object_new_string(c->control->daemon->broker_id));
	json_object_object_add(o, "runtime_name", json_object_new_string(c->client->name));
	add_access(o, &c->control->daemon->access);
	varlink_reply(v, o, -1);
}

static void call_list_sensors(struct varlink *v, json_object *parameters)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "sensors",
			       status_list_sensors(connection_of(v)->control->daemon));
	varlink_reply(v, o, -1);
}

static void reply_no_sensor(struct varlink *v, const char *name)
{
	json_object *o = json_object_new_object();
	char text[160];

	snprintf(text, sizeof(text), "there is no sensor '%.64s'; lidarctl list shows those there are",
		 name);
	json_object_object_add(o, "sensor", json_object_new_string(name));
	varlink_error(v, LIDARD_ERROR_NO_SENSOR, o, text);
}

static void reply_no_space(struct varlink *v, const struct sensor *s, uint64_t requested)
{
	json_object *o = json_object_new_object();
	uint64_t available = s->config.subscriber_slices - s->reserved_slices;
	char text[320];

	snprintf(text, sizeof(text),
		 "sensor %s: queue + held = %" PRIu64 " slices requested, %" PRIu64
		 " of subscriber_slices = %u are free: raise subscriber_slices to %" PRIu64
		 " in [sensor %s] and restart, or ask for less",
		 s->config.name, requested, available, s->config.subscriber_slices,
		 s->reserved_slices + requested, s->config.name);
	json_object_object_add(o, "sensor", json_object_new_string(s->config.name));
	json_object_object_add(o, "key", json_object_new_string("subscriber_slices"));
	json_object_object_add(o, "value", varlink_uint(s->config.subscriber_slices));
	json_object_object_add(o, "requested", varlink_uint(requested));
	json_object_object_add(o, "available", varlink_uint(available));
	varlink_error(v, LIDARD_ERROR_NO_SPACE, o, text);
}

static void reply_subscribed(struct varlink *v, const struct subscription *s, int page_fd)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "subscription", varlink_uint(s->id));
	json_object_object_add(o, "service", json_object_new_string(SINK_IOX_SERVICE));
	json_object_object_add(o, "instance", json_object_new_string(s->sensor->config.name));
	json_object_object_add(o, "event", json_object_new_string(SINK_IOX_EVENT));
	json_object_object_add(o, "queue", varlink_uint(s->queue));
	json_object_object_add(o, "held", varlink_uint(s->held));
	json_object_object_add(o, "slice_bytes", varlink_uint(s->sensor->config.slice_bytes));
	json_object_object_add(o, "format", varlink_uint(s->sensor->source->format));
	varlink_reply(v, o, page_fd);
}

static unsigned int count_of_client(const struct client *client)
{
	const struct subscription *s;
	unsigned int count = 0;

	LIST_FOREACH(s, &client->subscriptions, of_client)
		count++;
	return count;
}

static unsigned int count_of_sensor(const struct sensor *sensor)
{
	const struct subscription *s;
	unsigned int count = 0;

	LIST_FOREACH(s, &sensor->subscriptions, of_sensor)
		count++;
	return count;
}

static unsigned int count_all(const struct daemon *daemon)
{
	const struct sensor *sensor;
	unsigned int count = 0;

	LIST_FOREACH(sensor, &daemon->sensors, link)
		count += count_of_sensor(sensor);
	return count;
}

static void reply_too_many(struct varlink *v, const char *what, unsigned int limit)
{
	json_object *o = json_object_new_object();
	char text[80];

	json_object_object_add(o, "what", json_object_new_string(what));
	json_object_object_add(o, "limit", varlink_uint(limit));
	snprintf(text, sizeof(text), "too many %s: %u is the limit", what, limit);
	varlink_error(v, LIDARD_ERROR_LIMIT, o, text);
}

/*
 * One subscriber too many of a sensor would seem connected and get nothing; one
 * too many of RouDi would lose its transport.  Return: was it refused?
 */
static bool reply_limit(struct varlink *v, const struct connection *c, const struct sensor *sensor)
{
	const struct {
		const char *what;
		unsigned int count;
		unsigned int limit;
	} limits[] = {
		{ "subscriptions of one process", count_of_client(c->client),
		  LIDARD_SUBSCRIPTIONS_MAX },
		{ "subscriptions of one sensor", count_of_sensor(sensor),
		  LIDARD_SENSOR_SUBSCRIPTIONS_MAX },
		{ "subscriptions", count_all(c->control->daemon), LIDARD_ALL_SUBSCRIPTIONS_MAX },
	};
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].count < limits[i].limit)
			continue;
		reply_too_many(v, limits[i].what, limits[i].limit);
		return true;
	}
	return false;
}

static void call_subscribe(struct varlink *v, json_object *parameters)
{
	struct connection *c = connection_of(v);
	CLEANUP(cleanup_fd) int page_fd = -1;
	struct subscription *s;
	struct sensor *sensor;
	uint64_t queue, held, policy;
	const char *name;
	int r;

	if (!c->client || c->client->state != CLIENT_LIVE)
		return varlink_error(v, LIDARD_ERROR_NO_HELLO, NULL,
				     c->client ? "the process that said Hello is dead" :
						 "say Hello first");
	if (!varlink_get_string(parameters, "sensor", &name))
		return reply_invalid(v, "sensor", "a string");
	if (!varlink_get_uint(parameters, "queue", &queue) || queue > LIDARD_QUEUE_MAX)
		return reply_invalid(v, "queue", "a number from 0 to 256");
	if (!varlink_get_uint(parameters, "held", &held) || held > LIDARD_HELD_MAX)
		return reply_invalid(v, "held", "a number from 0 to 255");
	if (!varlink_get_uint(parameters, "policy", &policy) || policy > 2)
		return reply_invalid(v, "policy", "0, 1 or 2");
	sensor = daemon_find_sensor(c->control->daemon, name);
	if (!sensor)
		return reply_no_sensor(v, name);
	if (reply_limit(v, c, sensor))
		return;
	queue = queue ? queue : sensor->config.queue;
	held = held ? held : sensor->config.held;
	r = subscription_new(sensor, c->client, v->id, (uint32_t)queue, (uint32_t)held,
			     (uint32_t)policy, &s, &page_fd);
	if (r == -ENOSPC)
		return reply_no_space(v, sensor, queue + held);
	if (r < 0)
		return reply_client_error(v, r);
	LIST_INSERT_HEAD(&c->client->subscriptions, s, of_client);
	c->client->used_transport = true;
	reply_subscribed(v, s, page_fd);
}

static void call_unsubscribe(struct varlink *v, json_object *parameters)
{
	struct connection *c = connection_of(v);
	struct subscription *s;
	json_object *o;
	uint64_t id;

	if (!varlink_get_uint(parameters, "subscription", &id))
		return reply_invalid(v, "subscription", "a number");
	if (c->client)
		LIST_FOREACH(s, &c->client->subscriptions, of_client)
			if (s->id == id) {
				LIST_REMOVE(s, of_client);
				subscription_free(s);
				return varlink_reply(v, NULL, -1);
			}
	o = json_object_new_object();
	json_object_object_add(o, "subscription", varlink_uint(id));
	varlink_error(v, LIDARD_ERROR_NO_SUBSCRIPTION, o, "there is no such subscription");
}

static void call_get_status(struct varlink *v, json_object *parameters)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "status", status_get(connection_of(v)->control->daemon));
	varlink_reply(v, o, -1);
}

/* The sensor a call is about. Return: NULL: there is none, and the call is answered. */
static const struct sensor *find_sensor(struct varlink *v, json_object *parameters)
{
	const struct sensor *sensor;
	const char *name;

	if (!varlink_get_string(parameters, "sensor", &name)) {
		reply_invalid(v, "sensor", "a string");
		return NULL;
	}
	sensor = daemon_find_sensor(connection_of(v)->control->daemon, name);
	if (!sensor)
		reply_no_sensor(v, name);
	return sensor;
}

static void call_get_sensor(struct varlink *v, json_object *parameters)
{
	const struct sensor *sensor = find_sensor(v, parameters);
	json_object *o;

	if (!sensor)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "sensor", sensor_info_get(sensor));
	varlink_reply(v, o, -1);
}

/* What a reader needs to decode a sensor's packets by itself. */
static void call_get_decoder(struct varlink *v, json_object *parameters)
{
	const struct sensor *sensor = find_sensor(v, parameters);
	struct problem problem;
	json_object *o;

	if (!sensor)
		return;
	if (sensor_info_get_decoder(sensor, &o, &problem) < 0)
		return varlink_error(v, LIDARD_ERROR_NO_METADATA, NULL, problem.text);
	varlink_reply(v, o, -1);
}

static void reply_no_packets(struct varlink *v, const struct sensor *s)
{
	json_object *o = json_object_new_object();
	char text[160];

	snprintf(text, sizeof(text), "sensor %s (source = %s) has no packets to record",
		 s->config.name, s->source->ops->name);
	json_object_object_add(o, "sensor", json_object_new_string(s->config.name));
	varlink_error(v, LIDARD_ERROR_NO_PACKETS, o, text);
}

#define RECORDING_BYTES_ALLOWED "0 or a number from 262144 to 67108864"
_Static_assert(LIDARD_RECORDING_BYTES_MIN == 262144 && LIDARD_RECORDING_BYTES_MAX == 67108864,
	       "RECORDING_BYTES_ALLOWED");

/* The tap lives as long as the connection, or the sensor. */
static void call_record_packets(struct varlink *v, json_object *parameters)
{
	const struct sensor *sensor = find_sensor(v, parameters);
	struct connection *c = connection_of(v);
	uint64_t bytes;
	int r;

	if (!sensor)
		return;
	if (!varlink_get_uint(parameters, "bytes", &bytes) ||
	    (bytes && (bytes < LIDARD_RECORDING_BYTES_MIN || bytes > LIDARD_RECORDING_BYTES_MAX)))
		return reply_invalid(v, "bytes", RECORDING_BYTES_ALLOWED);
	if (!sensor->source->has_packets)
		return reply_no_packets(v, sensor);
	if (c->tap)
		return reply_too_many(v, "recordings of one connection", 1);
	if (c->control->recordings >= LIDARD_RECORDINGS_MAX)
		return reply_too_many(v, "recordings of packets", LIDARD_RECORDINGS_MAX);
	bytes = bytes ? (bytes + 4095) / 4096 * 4096 : LIDARD_RECORDING_BYTES_DEFAULT;
	r = packet_tap_new(&sensor->source->taps, bytes, &c->tap);
	if (r < 0)
		return varlink_error(v, LIDARD_ERROR_LIMIT, NULL,
				     "lidard has no memory for a recording of packets");
	c->control->recordings++;
	varlink_reply(v, NULL, c->tap->fd);
}

static const struct {
	const char *name;
	void (*call)(struct varlink *v, json_object *parameters);
} methods[] = {
	{ LIDARD_METHOD_HELLO, call_hello },
	{ LIDARD_METHOD_LIST_SENSORS, call_list_sensors },
	{ LIDARD_METHOD_SUBSCRIBE, call_subscribe },
	{ LIDARD_METHOD_UNSUBSCRIBE, call_unsubscribe },
	{ LIDARD_METHOD_GET_STATUS, call_get_status },
	{ LIDARD_METHOD_GET_DECODER, call_get_decoder },
	{ LIDARD_METHOD_GET_SENSOR, call_get_sensor },
	{ LIDARD_METHOD_RECORD_PACKETS, call_record_packets },
	{ "org.varlink.service.GetInfo", call_get_info },
};

static void control_call(struct varlink *v, const char *method, json_object *parameters)
{
	json_object *o;
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(methods[i].name, method) == 0)
			return methods[i].call(v, parameters);
	o = json_object_new_object();
	json_object_object_add(o, "method", json_object_new_string(method));
	varlink_error(v, "org.varlink.service.MethodNotFound", o, "there is no such method");
}

/* ---- connections ---- */

static void control_closed(struct varlink *v)
{
	struct connection *c = connection_of(v);

	if (c->client)
		client_put(c->client, v->id);
	if (c->tap)
		c->control->recordings--;
	packet_tap_free(c->tap);
	c->control->connections--;
	LIST_REMOVE(c, link);
	free(c);
}

static const struct varlink_handler control_handler = {
	.call = control_call,
	.closed = control_closed,
};

int control_serve(struct control *control, int fd, struct varlink **ret_varlink)
{
	struct connection *c;
	int r;

	if (control->connections >= CONNECTIONS_MAX)
		return -EUSERS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	r = varlink_new(control->daemon->loop, fd, &control_handler, c, &c->varlink);
	if (r < 0) {
		free(c);
		return r;
	}
	c->control = control;
	control->connections++;
	LIST_INSERT_HEAD(&control->list, c, link);
	*ret_varlink = c->varlink;
	return 0;
}

/* Out of descriptors: who waits would wake us again and again, and wait for ever. */
static void turn_away(struct control *control)
{
	control->spare_fd = close_fd(control->spare_fd);
	close_fd(accept4(control->listen_watch.fd, NULL, NULL, SOCK_CLOEXEC));
	control->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int control_accept(struct loop_watch *watch, uint32_t events)
{
	struct control *control = container_of(watch, struct control, listen_watch);
	struct varlink *v;
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		turn_away(control);
	else if (fd >= 0 && control_serve(control, fd, &v) < 0)
		close(fd);
	return 0;
}

/* Its socket may live on in a forked child, to which none of it belongs. */
static void client_ended(struct client_registry *clients, struct client *client)
{
	struct daemon *d = container_of(clients, struct daemon, clients);
	struct connection *c, *next;

	for (c = LIST_FIRST(&d->control->list); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->client == client)
			varlink_free(c->varlink);
	}
}

static bool subscribes(const struct connection *c, const struct sensor *sensor)
{
	const struct subscription *s;

	if (c->client)
		LIST_FOREACH(s, &c->client->subscriptions, of_client)
			if (s->sensor == sensor)
				return true;
	return false;
}

void control_drop_sensor(struct control *control, struct sensor *sensor)
{
	struct connection *c, *next;
	struct subscription *s;

	for (c = LIST_FIRST(&control->list); c; c = next) {
		next = LIST_NEXT(c, link);
		if (subscribes(c, sensor))
			varlink_free(c->varlink);
	}
	while ((s = LIST_FIRST(&sensor->subscriptions))) {
		LIST_REMOVE(s, of_client);
		subscription_free(s);
	}
}

/* ---- the socket ---- */

static int set_access(const char *path, const char *group, struct problem *problem)
{
	const struct group *g;

	if (chmod(path, 0660) < 0)
		return problem_set(problem, -errno, "cannot set the mode of %s: %s", path,
				   strerror(errno));
	if (!group[0])
		return 0;
	g = getgrnam(group);
	if (!g)
		return problem_set(problem, -ENOENT,
				   "reader_group = %s: there is no such group (systemd-sysusers makes "
				   "it from lidard's sysusers.d file)",
				   group);
	if (chown(path, (uid_t)-1, g->gr_gid) < 0)
		return problem_set(problem, -errno,
				   "cannot give %s to group %s: %s (lidard's user must be a member)",
				   path, group, strerror(errno));
	return 0;
}

static int listen_at(const char *path, const char *group, struct problem *problem)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return problem_set(problem, -errno, "cannot make a socket: %s", strerror(errno));
	if (strlen(path) >= sizeof(address.sun_path))
		return problem_set(problem, -ENAMETOOLONG, "socket = %s is longer than %zu bytes", path,
				   sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return problem_set(problem, -errno, "cannot make the socket %s: %s", path,
				   strerror(errno));
	r = set_access(path, group, problem);
	if (r < 0)
		return r;
	if (listen(fd, 128) < 0)
		return problem_set(problem, -errno, "cannot listen at %s: %s", path, strerror(errno));
	return steal_fd(&fd);
}

int control_new(struct daemon *daemon, const char *path, const char *group,
		struct control **ret_control, struct problem *problem)
{
	CLEANUP(cleanup_free) struct control *c = calloc(1, sizeof(*c));
	int fd, r;

	if (!c)
		return problem_set(problem, -ENOMEM, "out of memory");
	c->daemon = daemon;
	LIST_INIT(&c->list);
	c->spare_fd = -1;
	snprintf(c->path, sizeof(c->path), "%s", path);
	fd = listen_at(path, group, problem);
	if (fd < 0)
		return fd;
	r = loop_add(daemon->loop, &c->listen_watch, fd, EPOLLIN, control_accept);
	if (r < 0) {
		close(fd);
		return problem_set(problem, r, "cannot watch %s: %s", path, strerror(-r));
	}
	c->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	daemon->clients.on_death = client_ended;
	*ret_control = STEAL(c);
	return 0;
}

struct control *control_free(struct control *c)
{
	struct connection *connection;
	int fd;

	if (!c)
		return NULL;
	c->daemon->clients.on_death = NULL;
	while ((connection = LIST_FIRST(&c->list)))
		varlink_free(connection->varlink);
	fd = c->listen_watch.fd;
	loop_remove(c->daemon->loop, &c->listen_watch);
	close_fd(fd);
	close_fd(c->spare_fd);
	unlink(c->path);
	free(c);
	return NULL;
}
