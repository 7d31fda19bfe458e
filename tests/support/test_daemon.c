/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void or_abort(int r, const char *what, const struct problem *problem)
{
	if (r >= 0)
		return;
	fprintf(stderr, "test_daemon: %s: %s\n", what, problem ? problem->text : strerror(-r));
	abort();
}

static struct sensor *make_sensor(struct test_daemon *t, const struct sensor_config *config)
{
	struct sensor *s = calloc(1, sizeof(*s));
	struct problem problem = { "" };

	s->config = *config;
	s->incarnation = 1;
	s->sink = &t->sink;
	or_abort(source_new(&s->config, &s->source, &problem), "source", &problem);
	return s;
}

void test_daemon_init(struct test_daemon *t)
{
	static const char text[] = "[roudi]\nreader_group =\n[sensor front]\nsource = sim\n"
				   "subscriber_slices = 100\nqueue = 8\nheld = 4\n";
	char socket_path[80];
	struct problem problem = { "" };

	memset(t, 0, sizeof(*t));
	strcpy(t->dir, "/tmp/lidard-test-XXXXXX");
	if (!mkdtemp(t->dir))
		abort();
	or_abort(loop_init(&t->loop), "loop", NULL);
	t->daemon.loop = &t->loop;
	t->daemon.broker_id = "test";
	t->daemon.access = (struct memory_access){ .reader_group = "lidar", .reader_gid = 61010 };
	LIST_INIT(&t->daemon.sensors);
	or_abort(config_parse("test", text, strlen(text), &t->daemon.config, &problem), "config",
		 &problem);
	t->sensor = make_sensor(t, &t->daemon.config->sensors[0]);
	LIST_INSERT_HEAD(&t->daemon.sensors, t->sensor, link);
	or_abort(client_registry_init(&t->daemon.clients, &t->loop, t->dir, "", &problem), "clients",
		 &problem);
	snprintf(socket_path, sizeof(socket_path), "%s/control", t->dir);
	or_abort(control_new(&t->daemon, socket_path, "", &t->daemon.control, &problem), "control",
		 &problem);
}

int test_daemon_connect(struct test_daemon *t, struct varlink **ret_varlink)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
	or_abort(control_serve(t->daemon.control, fds[0], ret_varlink), "serve", NULL);
	return fds[1];
}

void test_daemon_deinit(struct test_daemon *t)
{
	char command[128];

	t->daemon.control = control_free(t->daemon.control);
	client_registry_deinit(&t->daemon.clients);
	t->sensor->source->ops->free(t->sensor->source);
	free(t->sensor);
	config_free(t->daemon.config);
	loop_deinit(&t->loop);
	snprintf(command, sizeof(command), "rm -r %s", t->dir);
	if (system(command) != 0)
		fprintf(stderr, "test_daemon: cannot remove %s\n", t->dir);
}
