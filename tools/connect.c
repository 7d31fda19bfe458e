/* SPDX-License-Identifier: Apache-2.0 */
/* connect.c - see connect.h */
#include "tools/connect.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lidard/control.h"
#include "tools/complain.h"
#include "tools/snapshot.h"

static const char *socket_name(const char *socket)
{
	if (socket)
		return socket;
	socket = secure_getenv("LIDARD_SOCKET");
	return socket && *socket ? socket : LIDARD_CONTROL_SOCKET;
}

static const char *user_name(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "NAME";
}

/* A path of the user's own choice may be the mistake. Return: has it been complained of? */
static bool complain_of_path(const char *path)
{
	struct stat st = { .st_mode = S_IFSOCK };
	int r = stat(path, &st);

	if (!S_ISSOCK(st.st_mode)) {
		complain("cannot connect to %s: it is not a socket (lidard's is "
			 LIDARD_CONTROL_SOCKET ")", path);
		return true;
	}
	if (r < 0 && errno == ENOENT && strcmp(path, LIDARD_CONTROL_SOCKET) != 0) {
		complain("cannot connect to %s: it does not exist (lidard's socket is "
			 LIDARD_CONTROL_SOCKET " while it runs: systemctl start lidard)", path);
		return true;
	}
	return false;
}

static void complain_of_connect(const char *path, int error)
{
	if ((error == -ENOENT || error == -ECONNREFUSED) && complain_of_path(path))
		return;
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		complain("cannot connect to %s: lidard is not running (start it: systemctl start lidard)",
			 path);
		break;
	case EACCES:
	case EPERM:
		complain("cannot connect to %s: permission denied (add yourself to group lidar: "
			 "usermod -aG lidar %s, then log in again)", path, user_name());
		break;
	case EPROTONOSUPPORT:
		complain("cannot talk to %s: lidard and lidarctl are of different versions "
			 "(restart lidard after an update)", path);
		break;
	case ETIMEDOUT:
		complain("cannot connect to %s: lidard does not answer (journalctl -u lidard)", path);
		break;
	default:
		complain("cannot connect to %s: %s", path, strerror(-error));
		break;
	}
}

int connect_lidard(const char *socket, const char *name, struct lidard_client **ret_client)
{
	struct lidard_client_opts opts = {
		.size = sizeof(opts),
		.socket_path = socket,
		.name = name,
	};
	int r;

	r = lidard_client_new(&opts, ret_client);
	if (r < 0)
		complain_of_connect(socket_name(socket), r);
	return r;
}

int connect_call(struct lidard_client *client, const char *method,
		 struct json_object **ret_reply)
{
	CLEANUP(cleanup_free) char *text = NULL;
	struct json_object *reply;
	int r;

	r = lidard_client_call(client, method, NULL, &text);
	if (r < 0)
		return r;
	reply = json_tokener_parse(text);
	if (!json_object_is_type(reply, json_type_object)) {
		json_object_put(reply);
		return -EPROTO;
	}
	*ret_reply = reply;
	return 0;
}

int connect_call_or_complain(struct lidard_client *client, const char *method,
			     struct json_object **ret_reply)
{
	const char *text;
	int r;

	r = connect_call(client, method, ret_reply);
	if (r < 0) {
		text = lidard_client_get_error(client);
		complain("%s failed: %s", method, text && *text ? text : strerror(-r));
	}
	return r;
}

int connect_get_snapshot(struct lidard_client *client, struct snapshot **ret_snapshot)
{
	struct json_object *reply;
	int r;

	r = connect_call_or_complain(client, LIDARD_METHOD_GET_STATUS, &reply);
	if (r < 0)
		return r;
	r = snapshot_parse(reply, ret_snapshot);
	json_object_put(reply);
	if (r < 0)
		complain("lidard's status makes no sense: %s", strerror(-r));
	return r;
}

int connect_subscribe(struct lidard_client *client, const char *sensor,
		      const struct lidard_subscribe_opts *opts,
		      struct lidard_subscription **ret_subscription)
{
	const char *text;
	int r;

	r = lidard_subscribe(client, sensor, opts, ret_subscription);
	if (r == 0)
		return 0;
	text = lidard_client_get_error(client);
	if (text && *text)
		complain("cannot subscribe to %s: %s", sensor, text);
	else if (r == -ENOENT)
		complain("cannot subscribe to %s: no such sensor (lidarctl list)", sensor);
	else
		complain("cannot subscribe to %s: %s", sensor, strerror(-r));
	return r;
}
