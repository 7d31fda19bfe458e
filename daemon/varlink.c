/* SPDX-License-Identifier: Apache-2.0 */
/* varlink.c - see varlink.h */
#include "daemon/varlink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "lidard/control.h"

/* The reply a peer has not read yet. */
#define OUT_BYTES_MAX (2u * LIDARD_CONTROL_MESSAGE_MAX)
#define JSON_DEPTH_MAX 16
#define READ_BYTES 4096

#define ERROR_INVALID_PARAMETER "org.varlink.service.InvalidParameter"

static void cleanup_json(json_object **o)
{
	json_object_put(*o);
}

static void cleanup_tokener(json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

/* ---- out ---- */

static ssize_t send_with_fd(struct varlink *v)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec iov = { .iov_base = v->out, .iov_len = v->out_bytes };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (v->out_fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &v->out_fd, sizeof(int));
	}
	return sendmsg(v->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void flush(struct varlink *v)
{
	ssize_t n;

	while (v->out_bytes > 0 && !v->broken) {
		n = send_with_fd(v);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0) {
			v->broken = true;
			break;
		}
		v->out_fd = close_fd(v->out_fd);
		memmove(v->out, v->out + n, v->out_bytes - (size_t)n);
		v->out_bytes -= (size_t)n;
	}
	if (v->watch.fd >= 0)
		loop_modify(v->loop, &v->watch, v->out_bytes ? EPOLLOUT : EPOLLIN);
}

static void send_message(struct varlink *v, json_object *message, int fd)
{
	size_t length;
	const char *text =
		json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN, &length);
	char *out;

	/* A second fd would go with the wrong message: let the first one leave. */
	if (fd >= 0 && v->out_bytes > 0)
		v->broken = true;
	if (v->oneway || v->broken)
		return;
	out = v->out_bytes + length + 1 <= OUT_BYTES_MAX ?
		      realloc(v->out, v->out_bytes + length + 1) :
		      NULL;
	if (!out) {
		v->broken = true;
		return;
	}
	v->out = out;
	memcpy(out + v->out_bytes, text, length + 1);
	v->out_bytes += length + 1;
	if (fd >= 0) {
		v->out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		v->broken = v->out_fd < 0;
	}
	flush(v);
}

void varlink_reply(struct varlink *v, json_object *parameters, int fd)
{
	CLEANUP(cleanup_json) json_object *message = json_object_new_object();

	json_object_object_add(message, "parameters",
			       parameters ? parameters : json_object_new_object());
	send_message(v, message, fd);
}

void varlink_error(struct varlink *v, const char *error, json_object *parameters,
		   const char *text)
{
	CLEANUP(cleanup_json) json_object *message = json_object_new_object();

	if (!parameters)
		parameters = json_object_new_object();
	json_object_object_add(parameters, "message", json_object_new_string(text));
	json_object_object_add(message, "error", json_object_new_string(error));
	json_object_object_add(message, "parameters", parameters);
	send_message(v, message, -1);
}

/* ---- in ---- */

static int dispatch(struct varlink *v, const char *text, size_t length)
{
	CLEANUP(cleanup_tokener) json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	CLEANUP(cleanup_json) json_object *message = NULL;
	CLEANUP(cleanup_json) json_object *empty = json_object_new_object();
	json_object *parameters, *flag;
	const char *method;

	if (!tokener)
		return -EPROTO;
	message = json_tokener_parse_ex(tokener, text, (int)length + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(message, json_type_object) ||
	    !varlink_get_string(message, "method", &method))
		return -EPROTO;
	v->oneway = json_object_object_get_ex(message, "oneway", &flag) &&
		    json_object_get_boolean(flag);
	if (!json_object_object_get_ex(message, "parameters", &parameters) || !parameters)
		parameters = empty;
	if (json_object_is_type(parameters, json_type_object))
		v->handler->call(v, method, parameters);
	else
		varlink_error(v, ERROR_INVALID_PARAMETER, NULL, "parameters must be an object");
	return v->broken ? -EPROTO : 0;
}

int varlink_feed(struct varlink *v, const char *bytes, size_t count)
{
	char *in, *end;
	size_t length, start = 0;
	int r;

	if (count == 0)
		return 0; /* and no buffer yet, perhaps */
	if (v->in_bytes + count > v->in_size) {
		in = realloc(v->in, v->in_bytes + count);
		if (!in)
			return -EPROTO;
		v->in = in;
		v->in_size = v->in_bytes + count;
	}
	memcpy(v->in + v->in_bytes, bytes, count);
	v->in_bytes += count;
	while ((end = memchr(v->in + start, '\0', v->in_bytes - start))) {
		length = (size_t)(end - (v->in + start));
		r = dispatch(v, v->in + start, length);
		if (r < 0)
			return r;
		start += length + 1;
	}
	memmove(v->in, v->in + start, v->in_bytes - start);
	v->in_bytes -= start;
	return v->in_bytes >= VARLINK_CALL_MAX ? -EPROTO : 0;
}

/* Read up to the end of a call, so that what follows it waits for its turn. */
static int read_call(struct varlink *v)
{
	char bytes[READ_BYTES], *end;
	ssize_t n;

	n = recv(v->watch.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (n > 0) {
		end = memchr(bytes, '\0', (size_t)n);
		n = recv(v->watch.fd, bytes, end ? (size_t)(end + 1 - bytes) : (size_t)n,
			 MSG_DONTWAIT);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n > 0 ? varlink_feed(v, bytes, (size_t)n) : -EPROTO;
}

static int varlink_ready(struct loop_watch *watch, uint32_t events)
{
	struct varlink *v = container_of(watch, struct varlink, watch);

	if (v->out_bytes > 0)
		flush(v);
	else if (read_call(v) < 0)
		v->broken = true;
	if (v->broken)
		varlink_free(v);
	return 0;
}

int varlink_new(struct loop *loop, int fd, const struct varlink_handler *handler, void *context,
		struct varlink **ret_varlink)
{
	static uint64_t last_id;
	struct varlink *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->loop = loop;
	v->handler = handler;
	v->context = context;
	v->id = ++last_id;
	v->out_fd = -1;
	v->watch.fd = -1;
	r = loop_add(loop, &v->watch, fd, EPOLLIN, varlink_ready);
	if (r < 0) {
		free(v);
		return r;
	}
	*ret_varlink = v;
	return 0;
}

struct varlink *varlink_free(struct varlink *v)
{
	int fd;

	if (!v)
		return NULL;
	v->handler->closed(v);
	fd = v->watch.fd;
	loop_remove(v->loop, &v->watch);
	close_fd(fd);
	close_fd(v->out_fd);
	free(v->in);
	free(v->out);
	free(v);
	return NULL;
}

bool varlink_get_string(json_object *parameters, const char *key, const char **ret_value)
{
	json_object *o;

	if (!json_object_object_get_ex(parameters, key, &o) ||
	    !json_object_is_type(o, json_type_string))
		return false;
	*ret_value = json_object_get_string(o);
	return true;
}

bool varlink_get_uint(json_object *parameters, const char *key, uint64_t *ret_value)
{
	json_object *o;

	if (!json_object_object_get_ex(parameters, key, &o) ||
	    !json_object_is_type(o, json_type_int) || json_object_get_int64(o) < 0)
		return false;
	*ret_value = json_object_get_uint64(o);
	return true;
}
