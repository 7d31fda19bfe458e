/* SPDX-License-Identifier: Apache-2.0 */
/* trace_loader.c - see trace_loader.h */
#include "trace/trace_loader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lidard_sched.skel.h"
#include "lidard_trace.skel.h"
#include "trace/trace_pins.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* linux/capability.h; by number, since older headers lack them */
#define CAPABILITY_SYS_ADMIN 21
#define CAPABILITY_PERFMON 38
#define CAPABILITY_BPF 39

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define MODULE_DIR "/sys/module/lidar_ring"
#define LINKS_MAX 12
#define LOCK_TRIES 10

struct trace_loader {
	struct lidard_trace_bpf *skeleton;
	/* NULL: without */
	struct lidard_sched_bpf *scheduler;
	struct bpf_link *links[LINKS_MAX];
	unsigned int link_count;
	/* the pin directory, locked: says that somebody watches, and that nobody else may */
	int dir_fd;
};

static bool debug_libbpf;

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list ap)
{
	return debug_libbpf ? vfprintf(stderr, format, ap) : 0;
}

__attribute__((format(printf, 3, 4))) static int refuse(char *problem, int error,
							 const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(problem, TRACE_LOADER_TEXT_MAX, format, ap);
	va_end(ap);
	return error;
}

/* ---- What must be there -------------------------------------------------------- */

static uint64_t read_capabilities(void)
{
	unsigned long long effective = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &effective) == 1)
			break;
	fclose(f);
	return effective;
}

static int check_capabilities(char *problem)
{
	uint64_t have = read_capabilities();

	if (have >> CAPABILITY_SYS_ADMIN & 1)
		return 0;
	if ((have >> CAPABILITY_BPF & 1) && (have >> CAPABILITY_PERFMON & 1))
		return 0;
	return refuse(problem, -EPERM, "no privilege: run as root, or with CAP_BPF and CAP_PERFMON "
		      "(lidard-trace.service has them)");
}

/* @dir or, since it is made here, what it lies in. */
static int check_bpffs(const char *dir, char *problem)
{
	char parent[256];
	struct statfs fs;
	char *slash;

	snprintf(parent, sizeof(parent), "%s", dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = '\0';
	if (statfs(dir, &fs) < 0 && statfs(parent, &fs) < 0)
		return refuse(problem, -ENOENT, "cannot look at %s: %s", parent, strerror(errno));
	if ((uint64_t)fs.f_type != BPF_FS_MAGIC)
		return refuse(problem, -ENOENT, "%s is not in a bpffs: mount -t bpf bpf /sys/fs/bpf",
			      dir);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return refuse(problem, -errno, "cannot make %s: %s", dir, strerror(errno));
	return 0;
}

static int check_files(const struct trace_loader_opts *o, char *problem)
{
	const char *paths[] = { o->daemon_path, o->library_path };
	int i;

	for (i = 0; i < 2; i++)
		if (access(paths[i], R_OK) < 0)
			return refuse(problem, -ENOENT, "cannot read %s, which has the probes: %s",
				      paths[i], strerror(errno));
	return 0;
}

/* Two would count every slice twice. */
static int lock(struct trace_loader *l, const char *dir, char *problem)
{
	static const struct timespec pause = { .tv_nsec = 10000000 };
	int i;

	l->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->dir_fd < 0)
		return refuse(problem, -errno, "cannot open %s: %s", dir, strerror(errno));
	/* who reads the maps looks at the lock, too, but only for a moment */
	for (i = 0; i < LOCK_TRIES; i++) {
		if (flock(l->dir_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return refuse(problem, -EBUSY, "another lidard-trace watches already (%s is locked)", dir);
}

/* ---- Maps --------------------------------------------------------------------------- */

static int load(struct trace_loader *l, const struct trace_loader_opts *o,
		trace_loader_note_fn note, char *problem)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = o->pin_dir);
	int r;

	l->skeleton = lidard_trace_bpf__open_opts(&opts);
	if (!l->skeleton)
		return refuse(problem, -errno, "cannot read our own BPF programs: %s",
			      strerror(errno));
	if (o->clear)
		trace_pins_remove(l->skeleton->obj);
	if (!trace_pins_fit(l->skeleton->obj)) {
		trace_pins_remove(l->skeleton->obj);
		note("the pinned maps were another version's: they begin anew");
	}
	r = lidard_trace_bpf__load(l->skeleton);
	if (r == -EPERM || r == -EACCES)
		return refuse(problem, r, "the kernel does not let us load BPF programs: %s (in a "
			      "container? lidard-trace --debug says more)", strerror(-r));
	if (r < 0)
		return refuse(problem, -ENOTSUP, "the kernel does not take the BPF programs: %s "
			      "(Linux 5.15 is needed; lidard-trace --debug says more)",
			      strerror(-r));
	return 0;
}

static int write_settings(struct trace_loader *l, const struct lidard_trace_settings *settings,
			  char *problem)
{
	uint32_t zero = 0;
	int r;

	r = bpf_map_update_elem(bpf_map__fd(l->skeleton->maps.settings), &zero, settings, BPF_ANY);
	return r < 0 ? refuse(problem, r, "cannot write the settings: %s", strerror(-r)) : 0;
}

/* ---- Attaching ------------------------------------------------------------------------ */

static int keep(struct trace_loader *l, struct bpf_link *link)
{
	if (!link)
		return -errno;
	l->links[l->link_count++] = link;
	return 0;
}

struct probe {
	struct bpf_program *program;
	const char *path;
	const char *name;
};

static int attach_probes(struct trace_loader *l, const struct trace_loader_opts *o, char *problem)
{
	struct lidard_trace_bpf *s = l->skeleton;
	const struct probe probes[] = {
		{ s->progs.on_publish, o->daemon_path, "publish" },
		{ s->progs.on_loan_exhausted, o->daemon_path, "loan_exhausted" },
		{ s->progs.on_take, o->library_path, "take" },
		{ s->progs.on_release, o->library_path, "release" },
		{ s->progs.on_skip, o->library_path, "skip" },
	};
	size_t i;
	int r;

	for (i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		r = keep(l, bpf_program__attach_usdt(probes[i].program, -1, probes[i].path, "lidard",
						     probes[i].name, NULL));
		if (r == -ENOENT || r == -ESRCH)
			return refuse(problem, -ENOENT, "%s has no probe lidard:%s: it was built "
				      "without sys/sdt.h, or is another version", probes[i].path,
				      probes[i].name);
		if (r == -EPERM || r == -EACCES)
			return refuse(problem, -EPERM, "no privilege: this kernel wants CAP_SYS_ADMIN for "
				      "uprobes");
		if (r < 0)
			return refuse(problem, r, "cannot attach to lidard:%s in %s: %s (uprobes, "
				      "and for libraries Linux 5.15, are needed)", probes[i].name,
				      probes[i].path, strerror(-r));
	}
	return 0;
}

/* Both objects look into one map of threads. */
static int load_scheduler(struct trace_loader *l)
{
	struct lidard_sched_bpf *s = lidard_sched_bpf__open();
	int r;

	if (!s)
		return -errno;
	r = bpf_map__reuse_fd(s->maps.threads, bpf_map__fd(l->skeleton->maps.threads));
	if (r == 0)
		r = lidard_sched_bpf__load(s);
	if (r < 0) {
		lidard_sched_bpf__destroy(s);
		return r;
	}
	l->scheduler = s;
	return 0;
}

/* Return: 0; negative errno: nothing of it is attached. */
static int watch_scheduler(struct trace_loader *l)
{
	unsigned int others = l->link_count;
	int r;

	r = load_scheduler(l);
	if (r == 0)
		r = keep(l, bpf_program__attach(l->scheduler->progs.on_wakeup));
	if (r == 0)
		r = keep(l, bpf_program__attach(l->scheduler->progs.on_switch));
	while (r < 0 && l->link_count > others)
		bpf_link__destroy(l->links[--l->link_count]);
	return r;
}

static void attach_scheduler(struct trace_loader *l, trace_loader_note_fn note)
{
	char text[TRACE_LOADER_TEXT_MAX];
	int r;

	if (access(KERNEL_BTF, R_OK) < 0) {
		note("no wake-up and run queue delays: the kernel has no type information ("
		     KERNEL_BTF ", CONFIG_DEBUG_INFO_BTF)");
		return;
	}
	r = watch_scheduler(l);
	if (r == 0)
		return;
	snprintf(text, sizeof(text), "no wake-up and run queue delays: %s (the kernel is locked down, "
		 "or its scheduler has other tracepoints)", strerror(-r));
	note(text);
}

static void attach_module(struct trace_loader *l, trace_loader_note_fn note)
{
	struct lidard_trace_bpf *s = l->skeleton;

	if (access(MODULE_DIR, F_OK) < 0) {
		note("no stages of the device: module lidar_ring is not loaded");
		return;
	}
	if (keep(l, bpf_program__attach(s->progs.on_slice_done)) < 0 ||
	    keep(l, bpf_program__attach(s->progs.on_slice_dropped)) < 0)
		note("no stages of the device: cannot attach to the tracepoints lidar:* "
		     "(is tracefs mounted on /sys/kernel/tracing?)");
}

/* What is attached stays so without them. */
static int drop_capabilities(char *problem)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};

	/* there is no wrapper in libc */
	if (syscall(SYS_capset, &header, none) < 0)
		return refuse(problem, -errno, "cannot give up capabilities: %s", strerror(errno));
	return 0;
}

/* ---- All of it -------------------------------------------------------------------------- */

static int prepare(struct trace_loader *l, const struct trace_loader_opts *o,
		   trace_loader_note_fn note, char *problem)
{
	int r;

	r = check_capabilities(problem);
	if (r == 0)
		r = check_files(o, problem);
	if (r == 0)
		r = check_bpffs(o->pin_dir, problem);
	if (r == 0)
		r = lock(l, o->pin_dir, problem);
	if (r == 0)
		r = load(l, o, note, problem);
	if (r == 0)
		r = write_settings(l, &o->settings, problem);
	if (r == 0)
		r = attach_probes(l, o, problem);
	if (r < 0)
		return r;
	if (o->scheduler)
		attach_scheduler(l, note);
	attach_module(l, note);
	return drop_capabilities(problem);
}

int trace_loader_new(const struct trace_loader_opts *opts, trace_loader_note_fn note,
		     struct trace_loader **ret_loader, char *problem)
{
	struct trace_loader *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return refuse(problem, -ENOMEM, "out of memory");
	l->dir_fd = -1;
	debug_libbpf = opts->debug;
	libbpf_set_print(print_libbpf);
	r = prepare(l, opts, note, problem);
	if (r < 0) {
		trace_loader_free(l);
		return r;
	}
	*ret_loader = l;
	return 0;
}

struct trace_loader *trace_loader_free(struct trace_loader *l)
{
	if (!l)
		return NULL;
	while (l->link_count > 0)
		bpf_link__destroy(l->links[--l->link_count]);
	lidard_sched_bpf__destroy(l->scheduler);
	lidard_trace_bpf__destroy(l->skeleton);
	if (l->dir_fd >= 0)
		close(l->dir_fd);
	free(l);
	return NULL;
}
