/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_loader.h - the BPF programs, loaded, attached, their maps pinned
 *
 * Owned by lidard-trace.  The maps outlive it, pinned; the attachments do not:
 * who stops the service wants to be rid of their cost, and one that is killed must
 * not leave the machine slower.  So no link is pinned.  Attachments belong to the files
 * of lidard and liblidard, so restarts of the daemon and of clients are nothing
 * to them, and programs started later are seen as well.
 */
#ifndef TRACE_TRACE_LOADER_H
#define TRACE_TRACE_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/trace.h"

#define TRACE_LOADER_TEXT_MAX 512

struct trace_loader_opts {
	/** Files that have the probes. */
	const char *daemon_path;
	const char *library_path;
	/** Directory in a bpffs; made if it is not there. */
	const char *pin_dir;
	/** Watch wake-ups and run queues. */
	bool scheduler;
	/** Begin with empty maps. */
	bool clear;
	/** Show what libbpf says. */
	bool debug;
	struct lidard_trace_settings settings;
};

struct trace_loader;

/** What is done without, and why: one line; the loader's user shows it. */
typedef void (*trace_loader_note_fn)(const char *text);

/**
 * trace_loader_new() - load, pin and attach
 * @note: called for everything this kernel or machine does not have and that can be missed
 * @ret_loader: free with trace_loader_free()
 * @problem: TRACE_LOADER_TEXT_MAX bytes; one line, says what would help
 *
 * Return: 0; -EPERM capabilities are missing; -EBUSY somebody watches already; -ENOTSUP the kernel cannot; -ENOENT no bpffs, or no
 * program with probes; other negative errno.
 */
int trace_loader_new(const struct trace_loader_opts *opts, trace_loader_note_fn note,
		     struct trace_loader **ret_loader, char *problem);

/** Detach; the maps stay pinned. NULL is allowed. Return: NULL. */
struct trace_loader *trace_loader_free(struct trace_loader *l);

#endif /* TRACE_TRACE_LOADER_H */
