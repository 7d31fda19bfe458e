/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * kernel.h - what the BPF programs need to know of the kernel, and no more
 *
 * Members are found by name when the programs are loaded, so offsets do not
 * matter, and the kernel lidard is built on need not have type information.
 * bpf_core_field_exists() tells which of two names a kernel has.
 */
#ifndef TRACE_KERNEL_H
#define TRACE_KERNEL_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
	int pid;
	int tgid;
	unsigned int __state;
	char comm[16];
};

/* before Linux 5.14 */
struct task_struct___old {
	long state;
};

#pragma clang attribute pop

/* include/linux/sched.h, never changed */
#define TASK_STATE_RUNNING 0
#define TASK_STATE_STOPPED (4 | 8)

#endif /* TRACE_KERNEL_H */
