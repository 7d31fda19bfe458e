/* SPDX-License-Identifier: Apache-2.0 */
/* transport_life.c - see transport_life.h */
#include "libclient/transport_life.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#define OBJECT_NAME "liblidard-iox.so"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

struct transport_life {
	struct transport_life *next;
	unsigned int refs;
	/* strings in one block, owned */
	struct transport_start start;
	char *strings;
	/* NULL until somebody subscribes; from then on the life is kept for good. */
	const struct transport_ops *ops;
	bool dead;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Newest first. */
static struct transport_life *lives;
/* Without a namespace the object exists once, also in the children of this process. */
static bool loaded_plainly;

void transport_life_lock(void)
{
	pthread_mutex_lock(&lock);
}

void transport_life_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void transport_life_forget_all(void)
{
	/* another thread of the parent may have held the lock, or been inside the list */
	pthread_mutex_init(&lock, NULL);
	lives = NULL;
}

const char *transport_life_get_current_name(void)
{
	struct transport_life *l;

	for (l = lives; l; l = l->next)
		if (!l->dead)
			return l->start.runtime_name;
	return "";
}

bool transport_life_name_is_taken(const char *broker, const char *runtime_name)
{
	struct transport_life *l;

	for (l = lives; l; l = l->next)
		if ((l->dead || strcmp(l->start.broker, broker)) &&
		    strcmp(l->start.runtime_name, runtime_name) == 0)
			return true;
	return false;
}

static char *append(char **at, const char *text)
{
	char *copy = *at;

	*at = stpcpy(copy, text) + 1;
	return copy;
}

static int copy_start(struct transport_life *l, const struct transport_start *start)
{
	char *at;

	l->strings = malloc(strlen(start->broker) + strlen(start->runtime_name) +
			    strlen(start->reader_group) + strlen(start->writer_group) + 4);
	if (!l->strings)
		return -ENOMEM;
	at = l->strings;
	l->start = *start;
	l->start.broker = append(&at, start->broker);
	l->start.runtime_name = append(&at, start->runtime_name);
	l->start.reader_group = append(&at, start->reader_group);
	l->start.writer_group = append(&at, start->writer_group);
	return 0;
}

int transport_life_ref(const struct transport_start *start, struct transport_life **ret_life)
{
	struct transport_life *l;

	for (l = lives; l; l = l->next)
		if (!l->dead && strcmp(l->start.broker, start->broker) == 0)
			break;
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		if (copy_start(l, start) < 0) {
			free(l);
			return -ENOMEM;
		}
		l->next = lives;
		lives = l;
	}
	l->refs++;
	*ret_life = l;
	return 0;
}

struct transport_life *transport_life_unref(struct transport_life *life)
{
	struct transport_life **at;

	if (!life)
		return NULL;
	transport_life_lock();
	if (--life->refs == 0 && !life->ops) {
		for (at = &lives; *at; at = &(*at)->next)
			if (*at == life) {
				*at = life->next;
				break;
			}
		free(life->strings);
		free(life);
	}
	transport_life_unlock();
	return NULL;
}

void transport_life_set_dead(struct transport_life *life)
{
	transport_life_lock();
	life->dead = true;
	transport_life_unlock();
}

static bool wants_namespace(void)
{
	const char *no = secure_getenv("LIDARD_NO_NAMESPACE");

	return !SANITIZED && !RUNNING_ON_VALGRIND && !(no && strcmp(no, "0"));
}

/* The object lies beside the library (build tree), in lidard/ below it, or where it was installed. */
static int find_object(char *path, size_t size)
{
	static const char *const places[] = { OBJECT_NAME, "lidard/" OBJECT_NAME };
	const char *slash;
	Dl_info info;
	size_t i;

	if (dladdr((const void *)find_object, &info) && info.dli_fname) {
		slash = strrchr(info.dli_fname, '/');
		for (i = 0; slash && i < 2; i++) {
			snprintf(path, size, "%.*s/%s", (int)(slash - info.dli_fname),
				 info.dli_fname, places[i]);
			if (access(path, R_OK) == 0)
				return 0;
		}
	}
	snprintf(path, size, "%s/%s", LIDARD_MODULE_DIR, OBJECT_NAME);
	return access(path, R_OK) < 0 ? -ELIBACC : 0;
}

/* glibc has 16 namespaces, and room for thread-local data of perhaps fewer. */
static bool is_exhausted(const char *text)
{
	return strstr(text, "namespace") || strstr(text, "static TLS");
}

static void *do_nothing(void *context)
{
	return context;
}

/*
 * The dynamic linker is one for all namespaces, and allocates the thread-local
 * data of iceoryx's threads by this libc's malloc(), which takes no lock while
 * this libc believes the process to have one thread: it did not start the others.
 * One of its own, however short, teaches it better.
 */
static int prepare_heap(void)
{
	sigset_t all, old;
	pthread_t thread;
	int r;

	/* no signal of the host's may choose it */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, NULL, do_nothing, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? -r : -pthread_join(thread, NULL);
}

/* It will be tried again, and there are few. */
static void give_namespace_back(void *object)
{
	if (object)
		dlclose(object);
}

static int load(const struct transport_ops **ret_ops, char *error, size_t error_bytes)
{
	const struct transport_ops *ops;
	char path[PATH_MAX];
	const char *text;
	bool plain = !wants_namespace();
	void *object;
	int r;

	if (plain && loaded_plainly) {
		snprintf(error, error_bytes,
			 "iceoryx cannot be started twice without link-map namespaces");
		return -ESTALE;
	}
	if (find_object(path, sizeof(path)) < 0) {
		snprintf(error, error_bytes, "%s is not installed", path);
		return -ELIBACC;
	}
	r = plain ? 0 : prepare_heap();
	if (r < 0) {
		snprintf(error, error_bytes, "cannot start a thread: %s", strerror(-r));
		return r;
	}
	object = plain ? dlopen(path, RTLD_NOW | RTLD_LOCAL) :
			 dlmopen(LM_ID_NEWLM, path, RTLD_NOW | RTLD_LOCAL);
	ops = object ? dlsym(object, TRANSPORT_SYMBOL) : NULL;
	if (!ops) {
		text = dlerror();
		if (text && is_exhausted(text)) {
			snprintf(error, error_bytes,
				 "iceoryx was restarted more often than this process can follow; "
				 "restart it (%s)",
				 text);
			return -ESTALE;
		}
		snprintf(error, error_bytes, "%s", text ? text : path);
		give_namespace_back(object);
		return -ELIBACC;
	}
	if (ops->bytes != sizeof(*ops)) {
		snprintf(error, error_bytes, "%s belongs to another version of liblidard", path);
		give_namespace_back(object);
		return -ELIBACC;
	}
	loaded_plainly = plain;
	*ret_ops = ops;
	return 0;
}

static int open_locked(struct transport_life *life, char *error, size_t error_bytes)
{
	char text[512];
	int r;

	if (life->dead)
		return -ENOTRECOVERABLE;
	if (!life->ops) {
		r = load(&life->ops, error, error_bytes);
		if (r < 0)
			return r;
	}
	r = life->ops->start(&life->start, text, sizeof(text));
	if (r < 0 && text[0])
		snprintf(error, error_bytes, "%s", text);
	else if (r == -ECONNREFUSED)
		snprintf(error, error_bytes,
			 "iceoryx's RouDi is not running (nobody listens at /tmp/roudi), or this "
			 "process has a /tmp of its own");
	else if (r == -EACCES)
		snprintf(error, error_bytes, "no permission for iceoryx's socket /tmp/roudi");
	else if (r < 0)
		snprintf(error, error_bytes, "iceoryx could not be started as %s: %s",
			 life->start.runtime_name, strerror(-r));
	return r;
}

int transport_life_open(struct transport_life *life, const struct transport_ops **ret_ops,
			char *error, size_t error_bytes)
{
	int r;

	transport_life_lock();
	r = open_locked(life, error, error_bytes);
	if (r == -ENOTRECOVERABLE)
		life->dead = true;
	transport_life_unlock();
	if (r == 0)
		*ret_ops = life->ops;
	return r;
}
