/* SPDX-License-Identifier: Apache-2.0 */
/* trace_pins.c - see trace_pins.h */
#include "trace/trace_pins.h"

#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* What cannot be looked at is nobody's to judge: loading will say why. */
static bool fits(const struct bpf_map *map, const char *path)
{
	struct bpf_map_info info = {};
	uint32_t bytes = sizeof(info);
	int fd, r;

	fd = bpf_obj_get(path);
	if (fd < 0)
		return true;
	r = bpf_obj_get_info_by_fd(fd, &info, &bytes);
	close(fd);
	return r == 0 && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

bool trace_pins_fit(const struct bpf_object *object)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, object)
		if (bpf_map__pin_path(map) && !fits(map, bpf_map__pin_path(map)))
			return false;
	return true;
}

void trace_pins_remove(const struct bpf_object *object)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, object)
		if (bpf_map__pin_path(map))
			unlink(bpf_map__pin_path(map));
}
