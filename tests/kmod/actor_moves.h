/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor_moves.h - the moves of an actor, and what they are made of
 *
 * Within the actor: actor.c chooses, the other files make the moves.
 */
#ifndef TESTS_KMOD_ACTOR_MOVES_H
#define TESTS_KMOD_ACTOR_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/splitmix64.h"
#include "tests/kmod/actor.h"

/* of a ring: some may be set up at the same time */
#define ACTOR_BYTES_MAX (8u << 20)

#define ONE_OF(actor, array) ((array)[below(actor, sizeof(array) / sizeof((array)[0]))])

static inline uint64_t any(struct actor *a)
{
	return splitmix64_next(&a->random);
}

static inline uint32_t below(struct actor *a, uint64_t limit)
{
	return (uint32_t)(any(a) % limit);
}

static inline bool one_in(struct actor *a, uint32_t n)
{
	return below(a, n) == 0;
}

/* ---- actor.c: what it has ---- */

int *actor_any_file(struct actor *a);
/** One that is open, if the first few tries find one; -1. */
int actor_open_file(struct actor *a);
/** Mostly the one where most can be done. */
int actor_ring_file(struct actor *a);
/** Instead of another. @fd: -1 is nothing */
void actor_keep_file(struct actor *a, int fd);
struct actor_mapping *actor_any_mapping(struct actor *a);
void actor_drop_mapping(struct actor_mapping *mapping);
/** Instead of another. @at: as mmap() returned it. Return: NULL if it had failed. */
struct actor_mapping *actor_keep_mapping(struct actor *a, void *at, size_t bytes);
/** Return: NULL if none is mapped. */
struct actor_mapping *actor_control_page(struct actor *a);
/** Between these two, now and then something in the kernel fails. */
void actor_begin_failing(struct actor *a);
void actor_end_failing(struct actor *a);
/** An address at which the argument is, or one at which it is not. */
void *actor_somewhere(struct actor *a, void *argument);

/* ---- actor_calls.c ---- */

/** An offset that is a slot's, or nearly. */
uint64_t actor_any_offset(struct actor *a);
void move_ask(struct actor *a);
void move_set_up(struct actor *a);
void move_register_memory(struct actor *a);
void move_start_stream(struct actor *a);
void move_stop_stream(struct actor *a);
void move_kick(struct actor *a);
void move_get_frame(struct actor *a);
void move_release_frame(struct actor *a);
void move_export(struct actor *a);
void move_adopt(struct actor *a);
void move_call_nonsense(struct actor *a);
void move_begin_stream(struct actor *a);

/* ---- actor_files.c ---- */

int actor_open_any_device(struct actor *a);
void move_open_device(struct actor *a);
void move_close_file(struct actor *a);
void move_duplicate(struct actor *a);
void move_pass_on(struct actor *a);
void move_read_file(struct actor *a);
void move_wait_for_it(struct actor *a);
void move_misuse_file(struct actor *a);
void move_import(struct actor *a);

/* ---- actor_memory.c ---- */

/** A mapping may go while it is touched. Once a process. */
void actor_catch_faults(void);
void move_map_file(struct actor *a);
void move_change_mapping(struct actor *a);
void move_touch_mapping(struct actor *a);
void move_use_rings(struct actor *a);
void move_scribble(struct actor *a);

/* ---- actor_root.c ---- */

void move_fault_sim(struct actor *a);
void move_plug_sim(struct actor *a);
void move_bind_driver(struct actor *a);
void move_feed(struct actor *a);
void move_look_at_sysfs(struct actor *a);

#endif
