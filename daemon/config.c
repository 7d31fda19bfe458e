/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c - lidard.conf and its drop-ins, read and checked
 *
 * A reader goes through the main file and then the drop-ins, line by line,
 * and remembers for every key of every section in which file and line it was
 * set.  From that come three things: a key given twice in one file is refused
 * (one of the two would silently lose), a drop-in may override what an earlier
 * file said, and a check over several keys, made when all files are read, can
 * still name the line to change.
 *
 * The first mistake ends the reading; nothing half-read leaves this file.
 * No state outlives a call.
 */
#include "daemon/config.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "daemon/config_key.h"

#define BLANKS " \t\r\v\f"

/** Where something was said; file 0: nowhere, the default. */
struct place {
	uint16_t file;
	uint16_t line;
};

/** What is known of one section beside its values. */
struct scope {
	enum config_section section;
	struct place header;
	struct place keys[CONFIG_KEYS_MAX];
};

#define SCOPE_LIDARD 0
#define SCOPE_ROUDI 1
#define SCOPE_SENSOR 2

struct reader {
	struct config *config;
	struct problem *problem;
	/** Names by place.file - 1; owned. */
	char *files[CONFIG_DROPINS_MAX + 1];
	struct place here;
	/** The section lines belong to; NULL before the first. */
	struct scope *scope;
	/** [lidard], [roudi], then the sensors in the order of config->sensors. */
	struct scope scopes[SCOPE_SENSOR + LIDARD_SENSORS_MAX];
};

_Static_assert(CONFIG_LINES_MAX <= UINT16_MAX && CONFIG_DROPINS_MAX < UINT16_MAX,
	       "struct place is too small");

static struct reader *reader_free(struct reader *r)
{
	size_t i;

	if (!r)
		return NULL;
	config_free(r->config);
	for (i = 0; i < sizeof(r->files) / sizeof(r->files[0]); i++)
		free(r->files[i]);
	free(r);
	return NULL;
}

static void cleanup_reader(struct reader **r)
{
	*r = reader_free(*r);
}

static void set_defaults(enum config_section section, void *base)
{
	unsigned int i;
	int r;

	for (i = 0; i < config_key_count; i++)
		if (config_keys[i].section == section) {
			r = config_key_read(&config_keys[i], config_keys[i].fallback, base);
			assert(r == 0);
			(void)r;
		}
}

static int reader_new(struct problem *problem, struct reader **ret_reader)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r)
		r->config = calloc(1, sizeof(*r->config));
	if (!r || !r->config) {
		reader_free(r);
		return problem_set(problem, -ENOMEM, "no memory to read the configuration");
	}
	r->problem = problem;
	r->scopes[SCOPE_LIDARD].section = CONFIG_SECTION_LIDARD;
	r->scopes[SCOPE_ROUDI].section = CONFIG_SECTION_ROUDI;
	set_defaults(CONFIG_SECTION_LIDARD, r->config);
	set_defaults(CONFIG_SECTION_ROUDI, r->config);
	*ret_reader = r;
	return 0;
}

static struct sensor_config *scope_sensor(struct reader *r, const struct scope *scope)
{
	assert(scope->section == CONFIG_SECTION_SENSOR);
	return &r->config->sensors[scope - &r->scopes[SCOPE_SENSOR]];
}

static void *scope_base(struct reader *r, const struct scope *scope)
{
	if (scope->section == CONFIG_SECTION_SENSOR)
		return scope_sensor(r, scope);
	return r->config;
}

/** "[sensor front]" */
static const char *scope_title(struct reader *r, const struct scope *scope, char *text, size_t size)
{
	if (scope->section == CONFIG_SECTION_SENSOR)
		snprintf(text, size, "[sensor %s]", scope_sensor(r, scope)->name);
	else
		snprintf(text, size, "[%s]", config_section_name(scope->section));
	return text;
}
#define SCOPE_TITLE_MAX (LIDARD_SENSOR_NAME_MAX + 16)

/** A piece of the file, short and harmless enough to be shown. */
static const char *shown(const char *text, char *buffer, size_t size)
{
	size_t i;

	for (i = 0; text[i] && i + 1 < size; i++)
		buffer[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
	buffer[i] = '\0';
	if (text[i])
		memcpy(buffer + i - 3, "...", 3);
	return buffer;
}
#define SHOWN_MAX 80

/** A mistake at @where. Return: -EINVAL. */
__attribute__((format(printf, 3, 4))) static int mistake(struct reader *r, struct place where,
							 const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	assert(where.file > 0);
	return problem_set(r->problem, -EINVAL, "%s:%u: %s", r->files[where.file - 1], where.line,
			   text);
}

static bool sensor_name_is_right(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' && strlen(name) < LIDARD_SENSOR_NAME_MAX &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-")];
}

static int add_sensor(struct reader *r, const char *name)
{
	struct config *config = r->config;
	struct sensor_config *sensors;
	struct scope *scope;

	if (config->sensor_count == LIDARD_SENSORS_MAX)
		return mistake(r, r->here, "[sensor %s]: at most %u sensors", name,
			       LIDARD_SENSORS_MAX);
	sensors = reallocarray(config->sensors, config->sensor_count + 1, sizeof(*sensors));
	if (!sensors)
		return problem_set(r->problem, -ENOMEM, "no memory for sensor %s", name);
	config->sensors = sensors;
	memset(&sensors[config->sensor_count], 0, sizeof(*sensors));
	strcpy(sensors[config->sensor_count].name, name);
	set_defaults(CONFIG_SECTION_SENSOR, &sensors[config->sensor_count]);

	scope = &r->scopes[SCOPE_SENSOR + config->sensor_count++];
	scope->section = CONFIG_SECTION_SENSOR;
	scope->header = r->here;
	r->scope = scope;
	return 0;
}

/** [sensor NAME]: a new one, or, in a drop-in, one that goes on. */
static int enter_sensor(struct reader *r, const char *name)
{
	char text[SHOWN_MAX];
	struct scope *scope;
	unsigned int i;

	if (!*name)
		return mistake(r, r->here, "[sensor]: name the sensor, as in [sensor front]");
	if (!sensor_name_is_right(name))
		return mistake(r, r->here,
			       "[sensor %s]: a sensor's name is a-z, 0-9, _ and -, starts with a letter "
			       "and has at most %u bytes",
			       shown(name, text, sizeof(text)), LIDARD_SENSOR_NAME_MAX - 1);
	for (i = 0; i < r->config->sensor_count; i++) {
		if (strcmp(r->config->sensors[i].name, name) != 0)
			continue;
		scope = &r->scopes[SCOPE_SENSOR + i];
		if (scope->header.file == r->here.file)
			return mistake(r, r->here,
				       "[sensor %s]: there is one in line %u already; each sensor has "
				       "one section in a file",
				       name, scope->header.line);
		scope->header = r->here;
		r->scope = scope;
		return 0;
	}
	return add_sensor(r, name);
}

static int read_section(struct reader *r, char *line)
{
	size_t length = strlen(line), word;
	char text[SHOWN_MAX];

	if (line[length - 1] != ']')
		return mistake(r, r->here, "%s: a section ends with ] and nothing behind it",
			       shown(line, text, sizeof(text)));
	line[length - 1] = '\0';
	line++;
	if (strcmp(line, "lidard") == 0 || strcmp(line, "roudi") == 0) {
		r->scope = &r->scopes[strcmp(line, "lidard") == 0 ? SCOPE_LIDARD : SCOPE_ROUDI];
		return 0;
	}
	word = strcspn(line, " \t");
	if (word == strlen("sensor") && strncmp(line, "sensor", word) == 0)
		return enter_sensor(r, line + word + strspn(line + word, " \t"));
	return mistake(r, r->here,
		       "[%s]: unknown section; right are [lidard], [roudi] and [sensor NAME]",
		       shown(line, text, sizeof(text)));
}

static int unknown_key(struct reader *r, const char *name)
{
	char title[SCOPE_TITLE_MAX], text[SHOWN_MAX];
	unsigned int i;

	scope_title(r, r->scope, title, sizeof(title));
	shown(name, text, sizeof(text));
	for (i = 0; i < CONFIG_SECTION_COUNT; i++)
		if (config_key_find(i, name))
			return mistake(r, r->here, "%s %s: belongs in section [%s%s]", title, text,
				       config_section_name(i),
				       i == CONFIG_SECTION_SENSOR ? " NAME" : "");
	return mistake(r, r->here, "%s %s: unknown key; see lidard.conf(5)", title, text);
}

static int bad_value(struct reader *r, const struct config_key *key, const char *value)
{
	char title[SCOPE_TITLE_MAX], text[SHOWN_MAX], limits[CONFIG_LIMITS_TEXT_MAX];
	bool comment = strstr(value, " #") || strstr(value, " ;");

	config_key_limits(key, limits, sizeof(limits));
	return mistake(r, r->here, "%s %s = %s: must be %s%s",
		       scope_title(r, r->scope, title, sizeof(title)), key->name,
		       shown(value, text, sizeof(text)), limits,
		       comment ? "; comments need a line of their own" : "");
}

static int read_assignment(struct reader *r, const char *name, const char *value)
{
	char title[SCOPE_TITLE_MAX];
	const struct config_key *key;
	struct place *place;
	int error;

	if (!r->scope)
		return mistake(r, r->here, "a key before the first section; begin with [lidard], "
					   "[roudi] or [sensor NAME]");
	key = config_key_find(r->scope->section, name);
	if (!key)
		return unknown_key(r, name);
	place = &r->scope->keys[key - config_keys];
	if (place->file == r->here.file)
		return mistake(r, r->here, "%s %s: given in line %u already",
			       scope_title(r, r->scope, title, sizeof(title)), name, place->line);
	error = config_key_read(key, value, scope_base(r, r->scope));
	if (error == -ENOMEM)
		return problem_set(r->problem, error, "no memory to read the configuration");
	if (error < 0)
		return bad_value(r, key, value);
	*place = r->here;
	return 0;
}

/** Cut blanks off the end. Return: the first that is none. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, BLANKS);
	length = strlen(text);
	while (length > 0 && strchr(BLANKS, text[length - 1]))
		text[--length] = '\0';
	return text;
}

/** @line is the reader's to change. */
static int read_line(struct reader *r, char *line)
{
	char text[SHOWN_MAX], *equals;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return read_section(r, line);
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return mistake(r, r->here, "%s: must be [section], key = value or a comment",
			       shown(line, text, sizeof(text)));
	*equals = '\0';
	return read_assignment(r, trim(line), trim(equals + 1));
}

static int read_text(struct reader *r, const char *data, size_t length)
{
	char line[CONFIG_LINE_MAX + 1];
	const char *end;
	size_t bytes;
	int error;

	r->scope = NULL;
	r->here.line = 0;
	while (length > 0) {
		if (r->here.line == CONFIG_LINES_MAX)
			return mistake(r, r->here, "too long: at most %d lines", CONFIG_LINES_MAX);
		r->here.line++;
		end = memchr(data, '\n', length);
		bytes = end ? (size_t)(end - data) : length;
		if (bytes > CONFIG_LINE_MAX)
			return mistake(r, r->here, "line too long: %zu bytes, at most %d", bytes,
				       CONFIG_LINE_MAX);
		memcpy(line, data, bytes);
		line[bytes] = '\0';
		if (strlen(line) != bytes)
			return mistake(r, r->here, "a NUL byte; this must be a text file");
		error = read_line(r, line);
		if (error < 0)
			return error;
		data += bytes + (end ? 1 : 0);
		length -= bytes + (end ? 1 : 0);
	}
	return 0;
}

/** Name the file that is read next. */
static int begin_file(struct reader *r, const char *name)
{
	assert(r->here.file < sizeof(r->files) / sizeof(r->files[0]));
	r->files[r->here.file] = strdup(name);
	if (!r->files[r->here.file])
		return problem_set(r->problem, -ENOMEM, "%s: no memory", name);
	r->here.file++;
	r->here.line = 0;
	return 0;
}

/** The whole file; a pipe will do as well. */
static int slurp(const char *path, struct problem *problem, char **ret_data, size_t *ret_length)
{
	CLEANUP(cleanup_free) char *data = malloc(CONFIG_FILE_MAX + 1);
	CLEANUP(cleanup_fd) int fd = -1;
	size_t length = 0;
	ssize_t n;

	if (!data)
		return problem_set(problem, -ENOMEM, "%s: no memory", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return problem_set(problem, -errno, "%s: %s", path, strerror(errno));
	do {
		n = read(fd, data + length, CONFIG_FILE_MAX + 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return problem_set(problem, -errno, "%s: %s", path, strerror(errno));
		length += (size_t)n;
	} while (n != 0 && length <= CONFIG_FILE_MAX);
	if (length > CONFIG_FILE_MAX)
		return problem_set(problem, -EINVAL, "%s: too large: at most %d bytes", path,
				   CONFIG_FILE_MAX);
	*ret_data = STEAL(data);
	*ret_length = length;
	return 0;
}

static int read_file(struct reader *r, const char *path)
{
	CLEANUP(cleanup_free) char *data = NULL;
	size_t length = 0;
	int error;

	error = slurp(path, r->problem, &data, &length);
	if (error < 0)
		return error;
	error = begin_file(r, path);
	if (error < 0)
		return error;
	return read_text(r, data, length);
}

struct names {
	char *names[CONFIG_DROPINS_MAX];
	size_t count;
};

static void cleanup_names(struct names *n)
{
	while (n->count > 0)
		free(n->names[--n->count]);
}

/* by bytes, not by the locale: the order must be the same on every machine */
static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/** The *.conf files of @directory in lexical order; none if it does not exist. */
static int list_dropins(const char *directory, struct names *names, struct problem *problem)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(directory);
	const struct dirent *entry;
	size_t length;

	if (!dir)
		return errno == ENOENT ? 0 :
					 problem_set(problem, -errno, "%s: %s", directory,
						     strerror(errno));
	while ((entry = readdir(dir))) {
		length = strlen(entry->d_name);
		if (entry->d_name[0] == '.' || length <= strlen(".conf") ||
		    strcmp(entry->d_name + length - strlen(".conf"), ".conf") != 0)
			continue;
		if (names->count == CONFIG_DROPINS_MAX)
			return problem_set(problem, -EINVAL, "%s: at most %d files", directory,
					   CONFIG_DROPINS_MAX);
		if (asprintf(&names->names[names->count], "%s/%s", directory, entry->d_name) < 0)
			return problem_set(problem, -ENOMEM, "%s: no memory", directory);
		names->count++;
	}
	qsort(names->names, names->count, sizeof(names->names[0]), compare_names);
	return 0;
}

static int read_dropins(struct reader *r, const char *path)
{
	CLEANUP(cleanup_names) struct names names = { .count = 0 };
	CLEANUP(cleanup_free) char *directory = NULL;
	size_t i;
	int error;

	if (asprintf(&directory, "%s.d", path) < 0) {
		directory = NULL;
		return problem_set(r->problem, -ENOMEM, "%s: no memory", path);
	}
	error = list_dropins(directory, &names, r->problem);
	for (i = 0; i < names.count && error == 0; i++)
		error = read_file(r, names.names[i]);
	return error;
}

/** The line to change for a key: where it was set last, else the sensor's section. */
static struct place key_place(const struct scope *scope, const char *name)
{
	const struct config_key *key = config_key_find(scope->section, name);

	assert(key);
	if (scope->keys[key - config_keys].file > 0)
		return scope->keys[key - config_keys];
	return scope->header;
}

static bool is_later(struct place a, struct place b)
{
	return a.file != b.file ? a.file > b.file : a.line > b.line;
}

static int check_room(struct reader *r, const struct scope *scope, const struct sensor_config *s)
{
	struct place queue = key_place(scope, "queue"), held = key_place(scope, "held");
	struct place room = key_place(scope, "subscriber_slices");
	struct place where = is_later(held, queue) ? held : queue;

	if (s->queue + s->held <= s->subscriber_slices)
		return 0;
	return mistake(r, is_later(room, where) ? room : where,
		       "[sensor %s] queue = %u and held = %u: together at most subscriber_slices = %u, "
		       "or no subscriber would fit",
		       s->name, s->queue, s->held, s->subscriber_slices);
}

static int check_device(struct reader *r, const struct scope *scope,
			const struct sensor_config *s)
{
	/* what is decoded is written by lidard, and cut to any size */
	if (s->device_packets == DEVICE_PACKETS_DECODE) {
		if (s->device_mode == DEVICE_MODE_DIRECT)
			return mistake(r, key_place(scope, "device_mode"),
				       "[sensor %s] device_mode = direct: cannot be together with "
				       "device_packets = decode, which copies",
				       s->name);
		return 0;
	}
	if (s->first_slice_bytes)
		return mistake(r, key_place(scope, "first_slice_bytes"),
			       "[sensor %s] first_slice_bytes: must be 0 for source = device, whose "
			       "slots are all of slice_bytes",
			       s->name);
	return 0;
}

static int check_udp(struct reader *r, const struct scope *scope, const struct sensor_config *s)
{
	struct udp_address listen, status;

	if (udp_address_parse(s->listen, &listen) < 0)
		return mistake(r, key_place(scope, "source"),
			       "[sensor %s] source = udp: needs listen = ADDRESS:PORT", s->name);
	if (s->interface[0] && !udp_address_is_multicast(&listen))
		return mistake(r, key_place(scope, "interface"),
			       "[sensor %s] interface = %s: is where a multicast group is joined, and "
			       "listen = %s is none", s->name, s->interface, s->listen);
	if (s->listen_status[0] && udp_address_parse(s->listen_status, &status) == 0 &&
	    udp_address_equal(&listen, &status))
		return mistake(r, key_place(scope, "listen_status"),
			       "[sensor %s] listen_status = %s: is the same as listen, where all that "
			       "comes is looked at; leave it empty", s->name, s->listen_status);
	return 0;
}

static int check_imu(struct reader *r, const struct scope *scope, const struct sensor_config *s)
{
	if (!s->imu)
		return 0;
	if (s->source == SOURCE_KIND_SIM ||
	    (s->source == SOURCE_KIND_DEVICE && s->device_packets != DEVICE_PACKETS_DECODE))
		return mistake(r, key_place(scope, "imu"),
			       "[sensor %s] imu = yes: needs packets that lidard decodes: source = udp, "
			       "replay, or device with device_packets = decode", s->name);
	if (strlen(s->name) + strlen(CONFIG_SIDE_SUFFIX) >= sizeof(s->name))
		return mistake(r, key_place(scope, "imu"),
			       "[sensor %s] imu = yes: %s%s would be longer than %u bytes; the sensor's "
			       "name must be shorter", s->name, s->name, CONFIG_SIDE_SUFFIX,
			       LIDARD_SENSOR_NAME_MAX - 1);
	return 0;
}

static int check_sensor(struct reader *r, const struct scope *scope, const struct sensor_config *s)
{
	struct place first = key_place(scope, "first_slice_bytes");
	struct place slice = key_place(scope, "slice_bytes");
	int error = 0;

	if (s->first_slice_bytes > s->slice_bytes)
		return mistake(r, is_later(slice, first) ? slice : first,
			       "[sensor %s] first_slice_bytes = %llu: must be at most slice_bytes = %llu",
			       s->name, (unsigned long long)s->first_slice_bytes,
			       (unsigned long long)s->slice_bytes);
	if (s->source == SOURCE_KIND_REPLAY && !s->replay_file[0])
		return mistake(r, key_place(scope, "source"),
			       "[sensor %s] source = replay: needs replay_file = /path/of/the/capture",
			       s->name);
	if (s->source == SOURCE_KIND_DEVICE)
		error = check_device(r, scope, s);
	if (s->source == SOURCE_KIND_UDP)
		error = check_udp(r, scope, s);
	if (error == 0)
		error = check_imu(r, scope, s);
	return error < 0 ? error : check_room(r, scope, s);
}

/** Its stream of what is no points: the sensor's own keys, but for what makes a small stream. */
static struct sensor_config make_side(const struct sensor_config *s)
{
	struct sensor_config side = *s;

	memset(side.name, 0, sizeof(side.name));
	snprintf(side.name, sizeof(side.name), "%.*s%s",
		 (int)(sizeof(side.name) - sizeof(CONFIG_SIDE_SUFFIX)), s->name,
		 CONFIG_SIDE_SUFFIX);
	side.source = SOURCE_KIND_SIDE;
	side.imu = false;
	side.slice_bytes = CONFIG_SIDE_BYTES;
	side.first_slice_bytes = 0;
	side.loans = CONFIG_SIDE_LOANS;
	side.subscriber_slices = CONFIG_SIDE_SUBSCRIBER_SLICES;
	side.queue = CONFIG_SIDE_QUEUE;
	side.held = CONFIG_SIDE_HELD;
	return side;
}

static int add_sides(struct reader *r)
{
	const unsigned int count = r->config->sensor_count;
	struct sensor_config *sensors;
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!r->config->sensors[i].imu)
			continue;
		if (r->config->sensor_count == LIDARD_SENSORS_MAX)
			return mistake(r, key_place(&r->scopes[SCOPE_SENSOR + i], "imu"),
				       "[sensor %s] imu = yes: at most %u sensors, and such a stream counts "
				       "as one", r->config->sensors[i].name, LIDARD_SENSORS_MAX);
		sensors = reallocarray(r->config->sensors, r->config->sensor_count + 1,
				       sizeof(*sensors));
		if (!sensors)
			return problem_set(r->problem, -ENOMEM, "no memory for the sensors");
		r->config->sensors = sensors;
		sensors[r->config->sensor_count++] = make_side(&sensors[i]);
	}
	return 0;
}

/** The checks over several keys, when all files are read. */
static int finish(struct reader *r, struct config **ret_config)
{
	unsigned int i;
	int error;

	for (i = 0; i < r->config->sensor_count; i++) {
		error = check_sensor(r, &r->scopes[SCOPE_SENSOR + i], &r->config->sensors[i]);
		if (error < 0)
			return error;
	}
	error = add_sides(r);
	if (error < 0)
		return error;
	*ret_config = STEAL(r->config);
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct problem *problem)
{
	CLEANUP(cleanup_reader) struct reader *r = NULL;
	int error;

	error = reader_new(problem, &r);
	if (error < 0)
		return error;
	error = read_file(r, path);
	if (error < 0)
		return error;
	error = read_dropins(r, path);
	if (error < 0)
		return error;
	return finish(r, ret_config);
}

int config_parse(const char *name, const char *text, size_t length, struct config **ret_config,
		 struct problem *problem)
{
	CLEANUP(cleanup_reader) struct reader *r = NULL;
	int error;

	error = reader_new(problem, &r);
	if (error < 0)
		return error;
	error = begin_file(r, name);
	if (error < 0)
		return error;
	error = read_text(r, text, length);
	if (error < 0)
		return error;
	return finish(r, ret_config);
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	free(config->sensors);
	free(config);
	return NULL;
}

bool sensor_config_equal(const struct sensor_config *a, const struct sensor_config *b)
{
	unsigned int i;

	if (strcmp(a->name, b->name) != 0)
		return false;
	for (i = 0; i < config_key_count; i++)
		if (config_keys[i].section == CONFIG_SECTION_SENSOR && !config_keys[i].live &&
		    !config_key_equal(&config_keys[i], a, b))
			return false;
	return true;
}

bool sensor_config_follow(struct sensor_config *running, const struct sensor_config *wanted)
{
	const struct config_key *key;
	bool changed = false;
	unsigned int i;

	for (i = 0; i < config_key_count; i++) {
		key = &config_keys[i];
		if (key->section != CONFIG_SECTION_SENSOR || !key->live ||
		    config_key_equal(key, running, wanted))
			continue;
		memcpy((char *)running + key->offset, (const char *)wanted + key->offset, key->size);
		changed = true;
	}
	return changed;
}

struct decoder_sensor sensor_config_decoder(const struct sensor_config *s)
{
	return (struct decoder_sensor){
		.name = s->name,
		.model = s->model,
		.metadata_path = s->metadata,
		.calibration_path = s->calibration,
		.cut_angle_deg = s->cut_angle_deg,
	};
}
