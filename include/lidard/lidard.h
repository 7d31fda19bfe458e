/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 */
/*
 * lidard.h - read point clouds in place, in the memory they were written to
 *
 *     struct lidard_client *client;
 *     struct lidard_subscription *sub;
 *     struct lidard_slice *slice;
 *
 *     lidard_client_new(NULL, &client);
 *     lidard_subscribe(client, "front", NULL, &sub);
 *     while (lidard_subscription_wait(sub, -1) >= 0)
 *             while (lidard_subscription_take(sub, &slice) == 1) {
 *                     use(lidard_slice_get_points(slice));
 *                     lidard_slice_release(slice);
 *             }
 *     lidard_subscription_free(sub);
 *     lidard_client_free(client);
 *
 * Errors: functions that can fail return a negative errno value; the errno
 * variable is not part of the contract.  Results leave through the last
 * parameter and are written on success only.
 *
 * Threads: a client and all its subscriptions and slices belong to one thread
 * at a time, and may be handed over.  Different clients may be used by
 * different threads.
 *
 * Fork: in the child every call on a parent's handle returns -ECHILD (getters
 * return 0 or NULL), and the free functions only give up memory.
 *
 * The library never logs, installs no signal handler, never calls exit() and
 * keeps the host process free of C++.  See liblidard(3) for what iceoryx may
 * still do to a process that is frozen or attacked.
 *
 * Compiles as C99 and as C++11.
 */
#ifndef LIDARD_H
#define LIDARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lidard/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque; see the group each belongs to. */
struct lidard_client;
struct lidard_sensor_list;
struct lidard_sensor_info;
struct lidard_subscription;
struct lidard_slice;
struct lidard_frame;
struct lidard_decoder;
struct lidard_packets;

/*
 * ---- Client ----------------------------------------------------------------
 * A connection to lidard.  It survives a restart of lidard: subscriptions go
 * on by themselves, in the same process.
 */

/** struct lidard_client_opts - how to connect; zero means default */
struct lidard_client_opts {
	/** sizeof(struct lidard_client_opts): lets the struct grow; unknown members must be 0. */
	size_t size;
	/** Control socket; NULL: $LIDARD_SOCKET, else LIDARD_CONTROL_SOCKET. */
	const char *socket_path;
	/** Name shown by lidarctl; NULL: the program's name. */
	const char *name;
	/** How long lidard may take to answer, ns; 0: one second. */
	int64_t timeout_ns;
};

/**
 * lidard_client_new() - connect to lidard
 * @opts: may be NULL
 * @ret_client: the new client; free with lidard_client_free()
 *
 * Return: 0; -ENOENT or -ECONNREFUSED lidard is not running; -EACCES the
 * caller is not in group lidar; -EPROTONOSUPPORT lidard speaks another version
 * of the control interface; -EPROTO the answer made no sense; -ETIMEDOUT no
 * answer in time; -EUSERS too many clients; -EINVAL bad options; -ENAMETOOLONG
 * the socket's path is too long; -ENOMEM; -EMFILE.
 */
int lidard_client_new(const struct lidard_client_opts *opts, struct lidard_client **ret_client);

/** lidard_client_free() - close the connection; NULL is allowed
 *
 * Frees the client's subscriptions too; slices still lent become invalid.
 * Return: NULL.
 */
struct lidard_client *lidard_client_free(struct lidard_client *client);

/**
 * lidard_client_call() - call any method of the control interface
 * @client: the client
 * @method: fully qualified, LIDARD_METHOD_GET_STATUS for instance
 * @parameters_json: a JSON object, or NULL for none
 * @ret_json: the reply's parameters as JSON text; release with free()
 *
 * Return: 0; -ENOTCONN lidard is gone (the client reconnects by itself at the
 * next call); -EINVAL @parameters_json is not a JSON object; -EREMOTEIO lidard
 * answered with an error, whose text is then in @ret_json; -ETIMEDOUT; -EPROTO;
 * -ENOMEM; -ECHILD.
 */
int lidard_client_call(struct lidard_client *client, const char *method,
		       const char *parameters_json, char **ret_json);

/*
 * ---- Sensors ---------------------------------------------------------------
 */

/**
 * lidard_client_list_sensors() - which sensors are configured
 * @client: the client
 * @ret_list: a snapshot; free with lidard_sensor_list_free()
 *
 * Return: 0, or as lidard_client_call().
 */
int lidard_client_list_sensors(struct lidard_client *client, struct lidard_sensor_list **ret_list);

/** lidard_sensor_list_free() - NULL is allowed. Return: NULL. */
struct lidard_sensor_list *lidard_sensor_list_free(struct lidard_sensor_list *list);

/** lidard_sensor_list_get_count() - number of sensors in the list. */
size_t lidard_sensor_list_get_count(const struct lidard_sensor_list *list);

/** lidard_sensor_list_get() - one sensor, lent by the list; NULL beyond the end. */
const struct lidard_sensor_info *lidard_sensor_list_get(const struct lidard_sensor_list *list,
							size_t index);

/** lidard_sensor_info_get_name() - the configured name; lives as long as the list. */
const char *lidard_sensor_info_get_name(const struct lidard_sensor_info *info);
/** lidard_sensor_info_get_source() - "sim", "replay", ... */
const char *lidard_sensor_info_get_source(const struct lidard_sensor_info *info);
/** lidard_sensor_info_get_model() - the sensor's model, "" if unknown. */
const char *lidard_sensor_info_get_model(const struct lidard_sensor_info *info);
/** lidard_sensor_info_get_serial() - the sensor's serial number, "" if unknown. */
const char *lidard_sensor_info_get_serial(const struct lidard_sensor_info *info);
/** lidard_sensor_info_get_state() - "starting", "streaming", "waiting", "backoff", "finished", "stopped". */
const char *lidard_sensor_info_get_state(const struct lidard_sensor_info *info);
/** lidard_sensor_info_get_format() - enum lidard_format of its slices. */
unsigned int lidard_sensor_info_get_format(const struct lidard_sensor_info *info);
/** lidard_sensor_info_get_slice_bytes() - the most payload a slice may have. */
uint64_t lidard_sensor_info_get_slice_bytes(const struct lidard_sensor_info *info);

/**
 * struct lidard_pose - where a sensor is mounted: from its frame to the base frame
 *
 * p_base = rotation * p_sensor + translation, the base frame being that of the vehicle or
 * robot: whichever lidard.conf means.  With the quaternion's vector part v and scalar w,
 * and c = v x p + w p, the rotation of a point p is p + 2 v x c.
 */
struct lidard_pose {
	/** Of the sensor's origin in the base frame: x, y, z. */
	double translation_m[3];
	/** Unit quaternion: x, y, z, w. */
	double rotation[4];
};

/**
 * struct lidard_sensor_description - what is known of a sensor; "" and 0 where it is not
 *
 * Made by the library alone, so members may be added at its end.  Texts are lent, and live
 * as long as the description.
 */
struct lidard_sensor_description {
	/** As lidard_sensor_info has them. */
	const char *name;
	const char *source;
	const char *state;
	/** The sensor's last failure. */
	const char *error;
	const char *vendor;
	const char *model;
	const char *serial;
	const char *firmware;
	/** "ouster", "velodyne", ...: whose packets its points are made from; "": it has points. */
	const char *decoder;
	/** Contents of the files that metadata= and calibration= in lidard.conf name. */
	const char *metadata;
	const char *calibration;
	/** Why one of them cannot be read. */
	const char *problem;
	/** enum lidard_format of its slices, and the most payload one may have. */
	uint32_t format;
	/** Beams of a firing. */
	uint32_t beams;
	uint64_t slice_bytes;
	/** Columns of a revolution; 0 where it depends on the speed. */
	uint32_t columns;
	/** 1: pose is set; 0: lidard.conf has none. */
	uint32_t has_pose;
	/** Revolutions per second, as the sensor was set. */
	double rate_hz;
	struct lidard_pose pose;
	/** Name of the stream of its IMU and satellite receiver, to be subscribed to; "": none. */
	const char *side;
};

/**
 * lidard_client_describe_sensor() - model, geometry, files and mounting pose of a sensor
 * @client: the client
 * @sensor: the sensor's name
 * @ret_description: as it is now; free with lidard_sensor_description_free(); it may
 *                   outlive the client, and belongs to one thread at a time
 *
 * A pose that is changed in lidard.conf is told by the next call after lidard was reloaded.
 * A file that cannot be read is no error: problem says why, and the rest is there.
 *
 * Return: 0; -ENOENT no such sensor; or as lidard_client_call(), -EREMOTEIO being a lidard
 * that does not know the call.
 */
int lidard_client_describe_sensor(struct lidard_client *client, const char *sensor,
				  struct lidard_sensor_description **ret_description);

/** lidard_sensor_description_free() - NULL is allowed. Return: NULL. */
struct lidard_sensor_description *
lidard_sensor_description_free(struct lidard_sensor_description *description);

/**
 * lidard_format_get_fields() - describe a format field by field
 * @format: enum lidard_format
 * @ret_count: number of fields
 *
 * Return: a static array; NULL if the format is unknown or has no fields.
 */
const struct lidard_field *lidard_format_get_fields(unsigned int format, size_t *ret_count);

/*
 * ---- Subscription ----------------------------------------------------------
 */

/** What to do when slices come faster than they are taken. */
enum lidard_policy {
	/** Keep up to queue slices; when full the oldest is overwritten, and counted. */
	LIDARD_POLICY_BOUNDED = 0,
	/** Take always yields the newest slice (or frame); older ones are passed over, and counted. */
	LIDARD_POLICY_LATEST = 1,
	/** As bounded, with the largest queue the reservation allows; a loss is
	 *  reported by the next take as -ENOBUFS, once, before data goes on. */
	LIDARD_POLICY_LOSSLESS = 2,
};

/** How lidard_subscription_wait() waits. */
enum lidard_wait_mode {
	/** Sleep at once. */
	LIDARD_WAIT_BLOCK = 0,
	/** Look for spin_ns, then sleep. */
	LIDARD_WAIT_SPIN_THEN_BLOCK = 1,
	/** Never sleep: look until the timeout. Burns a CPU, lowest latency. */
	LIDARD_WAIT_POLL = 2,
};

/** struct lidard_subscribe_opts - zero means default */
struct lidard_subscribe_opts {
	/** sizeof(struct lidard_subscribe_opts): lets the struct grow; unknown members must be 0. */
	size_t size;
	/** Slices that may wait, 1 to LIDARD_QUEUE_MAX; 0: what lidard suggests. */
	uint32_t queue;
	/** Slices that may be lent at the same time, 1 to LIDARD_HELD_MAX; 0: what
	 *  lidard suggests (held= of the sensor in lidard.conf). Whole frames take those of a
	 *  frame and one more. lidard sets this much memory aside. */
	uint32_t held;
	/** enum lidard_policy. */
	uint32_t policy;
	/** enum lidard_wait_mode. */
	uint32_t wait_mode;
	/** For LIDARD_WAIT_SPIN_THEN_BLOCK; 0: 50 µs. */
	int64_t spin_ns;
};

/**
 * lidard_subscribe() - begin to receive a sensor's slices
 * @client: the client
 * @sensor: the sensor's name
 * @opts: may be NULL
 * @ret_subscription: free with lidard_subscription_free()
 *
 * Reserves memory for @opts->queue + @opts->held slices first. Slices arrive
 * from some moment within the next 200 ms on; there is no history.
 *
 * Return: 0; -ENOENT no such sensor; -ENOSPC the memory set aside for
 * subscribers of this sensor is used up (raise subscriber_slices= of the sensor
 * in lidard.conf; lidard_client_get_error() has the figures); -EINVAL bad
 * options; -EUSERS too many subscriptions (of the process, the sensor, or in
 * all: control.h has the limits); -ECONNREFUSED iceoryx's RouDi is not
 * running; -EACCES the user may not use the shared memory: usermod -aG lidar NAME;
 * -EXDEV the process sees another /tmp or /dev/shm than lidard (a container);
 * -ELIBACC the transport could not be loaded; -ESTALE as lidard_subscription_take();
 * -EMFILE; or as lidard_client_call(). lidard_client_get_error() says more.
 */
int lidard_subscribe(struct lidard_client *client, const char *sensor,
		     const struct lidard_subscribe_opts *opts,
		     struct lidard_subscription **ret_subscription);

/** lidard_client_get_error() - text for a person on what the last failed call met; "" if nothing. */
const char *lidard_client_get_error(const struct lidard_client *client);

/** lidard_subscription_free() - NULL is allowed; slices and frames still lent become invalid.
 *
 * Waits for lidard's answer for one second at most. Return: NULL.
 */
struct lidard_subscription *lidard_subscription_free(struct lidard_subscription *subscription);

/**
 * lidard_subscription_get_fd() - an fd for any event loop
 * @subscription: the subscription
 *
 * Readable (POLLIN) while there may be something to take or the library has
 * work of its own to do; call lidard_subscription_take() until it returns 0.
 * The fd is lent: never read, write or close it.
 *
 * Return: the fd; -ECHILD; -EMFILE; -ENOMEM.
 */
int lidard_subscription_get_fd(struct lidard_subscription *subscription);

/**
 * lidard_subscription_wait() - wait until there is something to take
 * @subscription: the subscription
 * @timeout_ns: longest wait; 0: do not wait; negative: no limit
 *
 * Return: 1 there may be something to take; 0 the time is over; -ECHILD;
 * -EINTR a signal arrived; else as lidard_subscription_take().
 */
int lidard_subscription_wait(struct lidard_subscription *subscription, int64_t timeout_ns);

/**
 * lidard_subscription_take() - borrow the next slice
 * @subscription: the subscription
 * @ret_slice: the slice; give it back with lidard_slice_release()
 *
 * Hot path: no allocation, no lock, no system call while slices are waiting.
 *
 * Return: 1 a slice was lent; 0 none is waiting, or lidard is restarting;
 * -EMFILE as many slices as reserved are lent already: release one;
 * -ENOBUFS slices were lost (LIDARD_POLICY_LOSSLESS, once for each loss);
 * -ENOENT after a restart lidard no longer has this sensor; -ENOSPC after a restart
 * lidard no longer has the memory; -EUSERS, -EACCES, -EXDEV after a restart the shared memory is out of
 * reach (as lidard_subscribe()); -ESTALE iceoryx was restarted and cannot be loaded again in
 * this process (liblidard(3)); -ECHILD.
 */
int lidard_subscription_take(struct lidard_subscription *subscription,
			     struct lidard_slice **ret_slice);

/**
 * lidard_subscription_take_frame() - borrow a whole frame as a list of slices
 * @subscription: the subscription
 * @ret_frame: give back with lidard_frame_release()
 *
 * Slices of a frame are collected as they come, without copying. A frame of
 * which a slice is missing is delivered with what there is:
 * lidard_frame_is_complete() tells. Do not mix with _take(). Slices count as
 * received when their frame is lent; those of a frame that was not lent (an older
 * one with LIDARD_POLICY_LATEST, one too large) as skipped_policy.
 *
 * Return: 1 a frame was lent; 0 not complete yet; -EMSGSIZE frames have more slices
 * than the subscription may hold (lidard_client_get_error() says how many opts.held must be);
 * else as lidard_subscription_take().
 */
int lidard_subscription_take_frame(struct lidard_subscription *subscription,
				   struct lidard_frame **ret_frame);

/** struct lidard_stats - a subscription's account; durations are medians and tails since it began */
struct lidard_stats {
	/** Slices taken. */
	uint64_t received;
	uint64_t received_bytes;
	/** Published, but overwritten in this subscription's queue. */
	uint64_t skipped_queue_full;
	/** Published, but passed over by policy. */
	uint64_t skipped_policy;
	/** Published, but with a header that made no sense. */
	uint64_t skipped_invalid;
	/** Lost before publication: at the sensor, on the wire, or for want of memory. */
	uint64_t lost_upstream;
	/** Restarts of lidard or of the source that this subscription outlived. */
	uint64_t restarts;
	/** Slices lent at this moment. */
	uint32_t held;
	/** 1 while connected to lidard and its transport. */
	uint32_t connected;
	/** Published -> taken. */
	uint64_t latency_p50_ns;
	uint64_t latency_p99_ns;
	uint64_t latency_max_ns;
	/** Age of the last slice when it was taken: first byte -> taken, 0 if unknown. */
	uint64_t lag_ns;
};

/**
 * lidard_subscription_get_stats() - what was received and what was not
 * @subscription: the subscription
 * @stats: filled in; the caller sets nothing
 * @size: sizeof(struct lidard_stats): lets the struct grow
 *
 * Return: 0; -EINVAL size is not one this library knows; -ECHILD.
 */
int lidard_subscription_get_stats(struct lidard_subscription *subscription,
				  struct lidard_stats *stats, size_t size);

/**
 * lidard_subscription_get_page() - the raw counters and histograms (control.h)
 *
 * Lent, read-only for the caller, valid until the subscription is freed.
 */
struct lidard_subscriber_page;
const struct lidard_subscriber_page *
lidard_subscription_get_page(const struct lidard_subscription *subscription);

/*
 * ---- Slice: borrowed memory -------------------------------------------------
 * Valid until released. The memory is read-only: a write faults.
 */

/** lidard_slice_get_header() - the header (frame.h); lives as long as the slice is lent. */
const struct lidard_slice_header *lidard_slice_get_header(const struct lidard_slice *slice);
/** lidard_slice_get_payload() - payload_bytes bytes, page-aligned. */
const void *lidard_slice_get_payload(const struct lidard_slice *slice);
/** lidard_slice_get_points() - the payload as points; NULL if its format is another. */
const struct lidard_point_xyzirt *lidard_slice_get_points(const struct lidard_slice *slice);
/** lidard_slice_get_imu() - the payload as point_count readings; NULL if its format is another. */
const struct lidard_imu *lidard_slice_get_imu(const struct lidard_slice *slice);
/** lidard_slice_get_position() - the payload as point_count positions; NULL if its format is another. */
const struct lidard_position *lidard_slice_get_position(const struct lidard_slice *slice);

/** lidard_slice_check_crc() - compare the payload with its CRC-32C.
 *
 * Return: 1 right; 0 wrong; -ENODATA the slice carries none.
 */
int lidard_slice_check_crc(const struct lidard_slice *slice);

/**
 * lidard_slice_copy() - copy a slice for keeping
 * @slice: the slice
 * @ret_copy: header and payload in memory of their own; release with
 *            lidard_slice_release(), at any time, also after the subscription is gone
 *
 * Return: 0; -ENOMEM; -ECHILD.
 */
int lidard_slice_copy(const struct lidard_slice *slice, struct lidard_slice **ret_copy);

/** lidard_slice_release() - give a slice back; NULL is allowed. Hot path.
 *
 * Twice is a mistake: it does nothing until the subscription lends the slice's place again,
 * and takes that one away afterwards. Slices of a frame go back with the frame.
 */
void lidard_slice_release(struct lidard_slice *slice);

/*
 * ---- Decoder: points from packets ---------------------------------------------
 * A device that delivers a sensor's packets is published as it is
 * (LIDARD_FORMAT_RAW). Whoever wants points decodes them, in its own time and memory.
 */

/**
 * lidard_decoder_new() - make a decoder for a sensor's packets
 * @client: the client; lidard is asked for the sensor's metadata
 * @sensor: the sensor's name
 * @ret_decoder: free with lidard_decoder_free(); it may outlive the client
 *
 * Return: 0; -ENOENT no such sensor; -ENODATA lidard cannot read the metadata; -EINVAL there
 * is no metadata, or it makes no sense; -ENOTSUP this library has no such decoder; or as
 * lidard_client_call(). lidard_client_get_error() says more.
 */
int lidard_decoder_new(struct lidard_client *client, const char *sensor,
		       struct lidard_decoder **ret_decoder);

/** lidard_decoder_free() - NULL is allowed. Return: NULL. */
struct lidard_decoder *lidard_decoder_free(struct lidard_decoder *decoder);

/** lidard_decoder_get_max() - points that a slice of packets can have at most. */
size_t lidard_decoder_get_max(const struct lidard_decoder *decoder,
			      const struct lidard_slice *slice);

/** struct lidard_decoded - what was in a slice of packets */
struct lidard_decoded {
	/** Points written. */
	uint64_t point_count;
	/** Sensor's time of the first column, from which points count, and of the last; 0 without any. */
	uint64_t sensor_time_ns;
	uint64_t sensor_end_time_ns;
	/** enum lidard_sensor_clock. */
	uint32_t sensor_clock;
	/** Packets of points; packets of something else; damaged ones. */
	uint32_t packets;
	uint32_t ignored_packets;
	uint32_t bad_packets;
	/** Columns of points; columns whose time is seconds from the others', which are left out. */
	uint32_t columns;
	uint32_t bad_columns;
	/** Zero; room to grow. */
	uint64_t reserved[4];
};

/**
 * lidard_slice_decode() - the points of a slice of packets
 * @slice: of LIDARD_FORMAT_RAW
 * @decoder: of its sensor; slices in the order they came
 * @points: where they go
 * @capacity: points there is room for; lidard_decoder_get_max() is always enough
 * @ret_decoded: what was there
 *
 * Hot path: no allocation, no lock, no system call.
 *
 * Return: 0; -EINVAL the slice is no packets; -ENOSPC there is no room; -ECHILD.
 */
int lidard_slice_decode(const struct lidard_slice *slice, struct lidard_decoder *decoder,
			struct lidard_point_xyzirt *points, size_t capacity,
			struct lidard_decoded *ret_decoded);

/*
 * ---- Packets: what a sensor sent -------------------------------------------------
 * The datagrams that a sensor's points are made from, as they came, for those who
 * record them. lidard copies them for each recorder, and never waits for one: what its
 * buffer has no room for is lost to it, and counted.
 */

/** struct lidard_packet - a UDP datagram, lent until the next take */
struct lidard_packet {
	const void *data;
	size_t bytes;
	/** CLOCK_REALTIME of its arrival in the kernel; of a capture, when it was captured. */
	uint64_t realtime_ns;
	/** IPv4, host byte order; 0 of a device, which knows none. */
	uint32_t source_address;
	uint32_t destination_address;
	uint16_t source_port;
	uint16_t destination_port;
};

/**
 * lidard_packets_open() - begin to receive a sensor's packets
 * @client: the client; says where lidard is
 * @sensor: the sensor's name
 * @buffer_bytes: for what was not taken yet, LIDARD_RECORDING_BYTES_MIN to
 *                LIDARD_RECORDING_BYTES_MAX (control.h); 0: 16 MiB
 * @ret_packets: free with lidard_packets_free(); belongs to one thread at a time, may
 *               outlive the client, and does not outlive a restart of lidard
 *
 * Return: 0; -ENOENT no such sensor; -ENOTSUP it has no packets; -EUSERS too many
 * recordings; -EINVAL @buffer_bytes is out of range; or as lidard_client_call().
 * lidard_client_get_error() says more.
 */
int lidard_packets_open(struct lidard_client *client, const char *sensor, uint64_t buffer_bytes,
			struct lidard_packets **ret_packets);

/**
 * lidard_packets_take() - the next packet
 * @packets: the packets
 * @ret_packet: it; valid until the next take
 *
 * Never waits, and there is nothing to wait with: look again in a few milliseconds.
 *
 * Return: 1 there is one; 0 there is none now; -ENODATA the stream has ended (a capture
 * that is replayed once); -ENOTCONN lidard or the sensor is gone or was configured anew:
 * open again; -EPROTO what is there makes no sense; -ECHILD.
 */
int lidard_packets_take(struct lidard_packets *packets, struct lidard_packet *ret_packet);

/** lidard_packets_get_lost() - packets for which the buffer had no room, since it was opened. */
uint64_t lidard_packets_get_lost(const struct lidard_packets *packets);

/** lidard_packets_free() - NULL is allowed. Return: NULL. */
struct lidard_packets *lidard_packets_free(struct lidard_packets *packets);

/*
 * ---- Frame: a list of borrowed slices ----------------------------------------
 */

/** lidard_frame_get_id() - frame_id of the slices. */
uint64_t lidard_frame_get_id(const struct lidard_frame *frame);
/** lidard_frame_get_count() - number of slices there are. */
size_t lidard_frame_get_count(const struct lidard_frame *frame);
/** lidard_frame_get_slice() - one of them, lent by the frame; NULL beyond the end. */
const struct lidard_slice *lidard_frame_get_slice(const struct lidard_frame *frame, size_t index);
/** lidard_frame_is_complete() - did every slice of the frame arrive, each whole? */
bool lidard_frame_is_complete(const struct lidard_frame *frame);
/** lidard_frame_get_point_count() - sum over the slices. */
uint64_t lidard_frame_get_point_count(const struct lidard_frame *frame);
/** lidard_frame_release() - give all its slices back; NULL is allowed. */
void lidard_frame_release(struct lidard_frame *frame);

/** lidard_get_version() - the library's version, "0.1.0". */
const char *lidard_get_version(void);

#ifdef __cplusplus
}
#endif

#endif /* LIDARD_H */
