/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_key.h - the keys of lidard.conf, one table
 *
 * A key knows its section, the member of struct config or struct sensor_config
 * it fills, its limits, its default as text, and its help.  What reads values,
 * prints the shipped file, describes limits in messages and fills the man
 * page are functions over this table; none of them knows a key by name.
 *
 * The table is constant; the functions keep no state.
 */
#ifndef DAEMON_CONFIG_KEY_H
#define DAEMON_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most keys of the table: readers keep an array of this size for each section. */
#define CONFIG_KEYS_MAX 48
/** Longest description of what a key may hold. */
#define CONFIG_LIMITS_TEXT_MAX 128

enum config_section {
	/** [lidard] and [roudi] fill struct config. */
	CONFIG_SECTION_LIDARD,
	CONFIG_SECTION_ROUDI,
	/** [sensor NAME] fills struct sensor_config. */
	CONFIG_SECTION_SENSOR,
	CONFIG_SECTION_COUNT,
};

enum config_kind {
	/** uint64_t, bytes or bytes per second: K, M and G may follow (powers of 1024). */
	CONFIG_BYTES,
	/** uint32_t and uint64_t */
	CONFIG_COUNT,
	CONFIG_NUMBER,
	/** double */
	CONFIG_REAL,
	/** bool */
	CONFIG_SWITCH,
	/** An enum whose values count up from 0: an index into choices. */
	CONFIG_CHOICE,
	/** char []: absolute; empty where empty_allowed. */
	CONFIG_PATH,
	/** char []: a Unix group; empty where empty_allowed. */
	CONFIG_GROUP,
	/** char []: IPv4 ADDRESS:PORT; empty where empty_allowed. */
	CONFIG_ENDPOINT,
	/** char []: IPv4 address; empty where empty_allowed. */
	CONFIG_ADDRESS,
	/** char []: a network interface's name; empty where empty_allowed. */
	CONFIG_INTERFACE,
	/** char []: letters, digits and .+_- and blanks inside; empty where empty_allowed. */
	CONFIG_WORD,
	/** struct pose; empty where empty_allowed. */
	CONFIG_POSE,
};

struct config_key {
	enum config_section section;
	enum config_kind kind;
	const char *name;
	/** Of the member, in the struct that the section fills. */
	size_t offset;
	size_t size;
	/** Whole numbers. */
	uint64_t min;
	uint64_t max;
	/** 0 is right too, though below min. */
	bool zero_allowed;
	bool empty_allowed;
	/** A running sensor takes a new value over at a reload; others are begun anew by it. */
	bool live;
	double real_min;
	double real_max;
	/** Ends with NULL. */
	const char *const *choices;
	/** The default, as it would stand in the file. */
	const char *fallback;
	/** Sentences; wrapped where they are printed. */
	const char *help;
};

extern const struct config_key config_keys[];
extern const unsigned int config_key_count;

/** "lidard", "roudi", "sensor" */
const char *config_section_name(enum config_section section);

/** Return: the key, or NULL. */
const struct config_key *config_key_find(enum config_section section, const char *name);

/**
 * config_key_read() - read a value into its member
 * @base: the struct that the key's section fills
 *
 * Return: 0, or -EINVAL: config_key_limits() says what would be right.
 */
int config_key_read(const struct config_key *key, const char *text, void *base);

/** config_key_limits() - what the key may hold: "1 to 256", "yes or no", ... */
void config_key_limits(const struct config_key *key, char *text, size_t size);

/** Return: true if both structs hold the same value. */
bool config_key_equal(const struct config_key *key, const void *base_a, const void *base_b);

#endif /* DAEMON_CONFIG_KEY_H */
