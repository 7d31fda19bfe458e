/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_life.h - the lives of the transport's broker this process has seen
 *
 * lidard names each life of its broker (RouDi).  A life that somebody
 * subscribed in has a transport object of its own, loaded into a namespace of
 * its own; such an object can be neither restarted nor unloaded, so it stays.
 * All clients of the process share the lives and the name under which the
 * process is registered in each.
 *
 * Threads: the table is guarded by one lock, which a client also holds while
 * it says Hello, so that two clients of one process get one name.
 */
#ifndef LIBCLIENT_TRANSPORT_LIFE_H
#define LIBCLIENT_TRANSPORT_LIFE_H

#include <stddef.h>

#include "libclient/transport.h"

struct transport_life;

void transport_life_lock(void);
void transport_life_unlock(void);

/**
 * transport_life_get_current_name() - the name this process has in its newest life
 *
 * To be called with the lock held. Return: "" if there is none.
 */
const char *transport_life_get_current_name(void);

/** Is the name in use by a life other than the broker's? Lock held. */
bool transport_life_name_is_taken(const char *broker, const char *runtime_name);

/**
 * transport_life_ref() - find or add the life of a broker
 * @start: as lidard said; copied if the life is new
 * @ret_life: give back with transport_life_unref()
 *
 * To be called with the lock held. Return: 0; -ENOMEM.
 */
int transport_life_ref(const struct transport_start *start, struct transport_life **ret_life);
/** NULL is allowed. Takes the lock. Return: NULL. */
struct transport_life *transport_life_unref(struct transport_life *life);

/**
 * transport_life_open() - load and start the life's transport
 * @life: the life
 * @ret_ops: its functions, which stay valid until the process ends
 * @error: text of what went wrong
 * @error_bytes: its size
 *
 * Takes the lock. Return: 0; -ELIBACC; -ESTALE no namespace is left; or as
 * transport_ops.start().
 */
int transport_life_open(struct transport_life *life, const struct transport_ops **ret_ops,
			char *error, size_t error_bytes);

/** The life's transport said -ENOTRECOVERABLE: never offer it again. Takes the lock. */
void transport_life_set_dead(struct transport_life *life);

/** In a child after fork(): the parent's lives are not ours. */
void transport_life_forget_all(void);

#endif /* LIBCLIENT_TRANSPORT_LIFE_H */
