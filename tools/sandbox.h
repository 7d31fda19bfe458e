/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.h - a private corner of the machine for the demo and the self-test
 *
 * iceoryx has fixed names: /dev/shm/iceoryx_mgmt, /tmp/roudi.  A mount and IPC
 * namespace of our own lets the demo run beside a lidard in service, leaves
 * nothing behind however it ends, and needs no user or group on the machine:
 *
 *   /dev/shm               a fresh tmpfs, large enough for the pool
 *   /tmp, /run             fresh; what was there is bound in again under its
 *                          name, but for iceoryx's and lidard's own files
 *   /etc/passwd, group     copies with the users and groups lidard needs
 *
 * It ends with the last process in it.  The calling process must have one
 * thread, and be root.
 */
#ifndef TOOLS_SANDBOX_H
#define TOOLS_SANDBOX_H

#include <stdint.h>
#include <sys/types.h>

/** Where the demo keeps its files inside. */
#define SANDBOX_DIR "/run/lidard-demo"

/** The users and groups inside: as the installed system has them. */
#define SANDBOX_USER_LIDARD "lidard"
#define SANDBOX_GROUP_LIDARD "lidard"
#define SANDBOX_USER_READER "lidar"
#define SANDBOX_GROUP_READER "lidar"

struct sandbox {
	uid_t lidard_uid;
	gid_t lidard_gid;
	uid_t reader_uid;
	gid_t reader_gid;
};

/** sandbox_check() - may this process enter one? Complains. Return: 0; -EPERM not root. */
int sandbox_check(void);

/**
 * sandbox_enter() - move the calling process into a new sandbox
 * @shm_bytes: size of /dev/shm inside
 * @ret_sandbox: the ids of users and groups inside
 *
 * Complains on failure; the process is then in an undefined corner and should end.
 *
 * Return: 0; -EPERM not root; negative errno.
 */
int sandbox_enter(uint64_t shm_bytes, struct sandbox *ret_sandbox);

#endif /* TOOLS_SANDBOX_H */
