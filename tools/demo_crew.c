/* SPDX-License-Identifier: Apache-2.0 */
/* demo_crew.c - see demo_crew.h */
#include "tools/demo_crew.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "tools/complain.h"
#include "tools/cpu.h"
#include "tools/demo_stack.h"

/** Every so many points a perception client looks at one: eight lines of a page. */
#define CREW_STRIDE 16u
#define CREW_STOP_NS (10 * NSEC_PER_SEC)

static enum demo_role role_of(unsigned int index)
{
	return index < 2 ? DEMO_PERCEPTION : index == 2 ? DEMO_RECORDING : DEMO_PLAIN;
}

static void name_member(char *name, size_t size, unsigned int index)
{
	const char *role = demo_role_name(role_of(index));

	if (role_of(index) == DEMO_RECORDING)
		snprintf(name, size, "%s", role);
	else
		snprintf(name, size, "%s%u", role, index < 2 ? index + 1 : index - 2);
}

static int start_member(struct demo_crew *c, const struct demo_plan *plan,
			const struct child_user *user)
{
	unsigned int i = c->count;
	struct demo_member *m = &c->members[i];
	int r;

	m->reader = (struct demo_reader){
		.role = role_of(i),
		.socket = DEMO_SOCKET,
		.sensor = DEMO_SENSOR,
		.queue = plan->queue,
		.held = plan->held,
		.frame_bytes = plan->frame_bytes,
		.stride = CREW_STRIDE,
		.frames_fd = i == 0 ? c->frames_fd : -1,
		.frames_as_json = c->frames_as_json,
		.record_fd = c->record_fd,
		.record_bytes = c->record_bytes,
		.keep_every = c->keep_every,
		.result = &c->results[i],
	};
	name_member(m->reader.name, sizeof(m->reader.name), i);
	r = child_call(&c->children[i], m->reader.name, user, demo_reader_run, &m->reader);
	if (r < 0) {
		complain("cannot start %s: %s", m->reader.name, strerror(-r));
		return r;
	}
	m->pid = c->children[i].pid;
	c->count++;
	return 0;
}

int demo_crew_start(struct demo_crew *c, const struct demo_plan *plan,
		    const struct child_user *user)
{
	void *results = mmap(NULL, plan->subscribers * sizeof(*c->results),
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r = 0;

	if (results == MAP_FAILED)
		return -errno;
	c->results = results;
	c->result_count = plan->subscribers;
	while (r == 0 && c->count < plan->subscribers)
		r = start_member(c, plan, user);
	return r;
}

bool demo_crew_has_failed(struct demo_crew *c)
{
	unsigned int i;

	for (i = 0; i < c->count; i++)
		if (child_has_failed(&c->children[i]))
			return true;
	return false;
}

void demo_crew_read_cpu(struct demo_crew *c, bool first)
{
	unsigned int i;

	for (i = 0; i < c->count; i++)
		*(first ? &c->members[i].cpu_first_ns : &c->members[i].cpu_last_ns) =
			cpu_read_ns(c->children[i].pid);
}

bool demo_crew_stop(struct demo_crew *c)
{
	bool well = true;
	unsigned int i;

	for (i = 0; i < c->count; i++)
		__atomic_store_n(&c->results[i].stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < c->count; i++) {
		struct child *child = &c->children[i];

		if (child->pid == 0)
			continue;
		if (!child_wait(child, CREW_STOP_NS) || child->status != 0) {
			well = false;
			child_print_output(child);
		}
		child_end(child, SIGKILL, 0);
	}
	return well;
}

void demo_crew_deinit(struct demo_crew *c)
{
	demo_crew_stop(c);
	if (c->results)
		munmap(c->results, c->result_count * sizeof(*c->results));
	c->results = NULL;
}
