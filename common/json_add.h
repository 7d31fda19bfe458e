/* SPDX-License-Identifier: Apache-2.0 */
/* json_add.h - a member of an object, in one line */
#ifndef COMMON_JSON_ADD_H
#define COMMON_JSON_ADD_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

static inline void json_add_uint(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static inline void json_add_real(struct json_object *o, const char *key, double value)
{
	json_object_object_add(o, key, json_object_new_double(value));
}

static inline void json_add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static inline void json_add_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

#endif /* COMMON_JSON_ADD_H */
