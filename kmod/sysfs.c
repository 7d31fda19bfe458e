// SPDX-License-Identifier: GPL-2.0
/*
 * sysfs.c - /sys/class/lidar/lidarN/: what INFO and STATS say, for shells
 *
 * statistics/ has a file for each counter of struct lidar_ring_stats.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "core.h"

static ssize_t name_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct lidar_ring *ring = dev_get_drvdata(dev);

	return sysfs_emit(text, "%s\n", ring->name);
}
static DEVICE_ATTR_RO(name);

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct lidar_ring *ring = dev_get_drvdata(dev);

	return sysfs_emit(text, "%s\n", ring->serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *text)
{
	static const char *const names[] = {
		[LIDAR_RING_IDLE] = "idle",
		[LIDAR_RING_CONFIGURED] = "configured",
		[LIDAR_RING_STOPPED] = "stopped",
		[LIDAR_RING_STREAMING] = "streaming",
		[LIDAR_RING_HALTED] = "halted",
		[LIDAR_RING_GONE] = "gone",
	};
	struct lidar_ring *ring = dev_get_drvdata(dev);

	return sysfs_emit(text, "%s\n", names[READ_ONCE(ring->state)]);
}
static DEVICE_ATTR_RO(state);

static ssize_t format_show(struct device *dev, struct device_attribute *attr, char *text)
{
	static const char *const names[] = {
		[LIDAR_RING_FORMAT_UNKNOWN] = "unknown",
		[LIDAR_RING_FORMAT_PACKETS] = "packets",
		[LIDAR_RING_FORMAT_XYZIRT] = "xyzirt",
	};
	struct lidar_ring *ring = dev_get_drvdata(dev);
	u32 format = ring->config.format;

	return sysfs_emit(text, "%s\n", names[format < ARRAY_SIZE(names) ? format : 0]);
}
static DEVICE_ATTR_RO(format);

static ssize_t memory_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct lidar_ring *ring = dev_get_drvdata(dev);
	u32 kind = 0;

	mutex_lock(&ring->lock);
	if (ring->memory)
		kind = ring->memory->kind;
	mutex_unlock(&ring->lock);
	return sysfs_emit(text, "%s\n", kind == LIDAR_RING_MEMORY_KERNEL ? "kernel" :
			  kind == LIDAR_RING_MEMORY_USER ? "user" : "none");
}
static DEVICE_ATTR_RO(memory);

static ssize_t slot_count_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct lidar_ring *ring = dev_get_drvdata(dev);
	u32 count;

	mutex_lock(&ring->lock);
	count = ring->memory ? ring->memory->slot_count : 0;
	mutex_unlock(&ring->lock);
	return sysfs_emit(text, "%u\n", count);
}
static DEVICE_ATTR_RO(slot_count);

static ssize_t slot_bytes_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct lidar_ring *ring = dev_get_drvdata(dev);
	u64 bytes;

	mutex_lock(&ring->lock);
	bytes = ring->memory ? ring->memory->slot_bytes : 0;
	mutex_unlock(&ring->lock);
	return sysfs_emit(text, "%llu\n", bytes);
}
static DEVICE_ATTR_RO(slot_bytes);

static struct attribute *lidar_attributes[] = {
	&dev_attr_name.attr,
	&dev_attr_serial.attr,
	&dev_attr_state.attr,
	&dev_attr_format.attr,
	&dev_attr_memory.attr,
	&dev_attr_slot_count.attr,
	&dev_attr_slot_bytes.attr,
	NULL,
};

struct counter_attribute {
	struct device_attribute attr;
	size_t offset;
};

static ssize_t counter_show(struct device *dev, struct device_attribute *attr, char *text)
{
	struct counter_attribute *counter = container_of(attr, struct counter_attribute, attr);
	struct lidar_ring *ring = dev_get_drvdata(dev);
	u64 value;

	mutex_lock(&ring->lock);
	value = *(u64 *)((void *)&ring->stats + counter->offset);
	mutex_unlock(&ring->lock);
	return sysfs_emit(text, "%llu\n", value);
}

#define COUNTER(name)								\
	static struct counter_attribute counter_##name = {			\
		.attr = __ATTR(name, 0444, counter_show, NULL),			\
		.offset = offsetof(struct lidar_ring_stats, name),		\
	}

COUNTER(delivered);
COUNTER(delivered_bytes);
COUNTER(lost_no_slot);
COUNTER(lost_device);
COUNTER(lost_error);
COUNTER(lost_ready_full);
COUNTER(lost_stopped);
COUNTER(lost_lease);
COUNTER(refused_offset);
COUNTER(refused_state);
COUNTER(bad_index);
COUNTER(starved);
COUNTER(kicks);
COUNTER(copied_bytes);
COUNTER(leases_lost);
COUNTER(clock_steps);

static struct attribute *statistics_attributes[] = {
	&counter_delivered.attr.attr,
	&counter_delivered_bytes.attr.attr,
	&counter_lost_no_slot.attr.attr,
	&counter_lost_device.attr.attr,
	&counter_lost_error.attr.attr,
	&counter_lost_ready_full.attr.attr,
	&counter_lost_stopped.attr.attr,
	&counter_lost_lease.attr.attr,
	&counter_refused_offset.attr.attr,
	&counter_refused_state.attr.attr,
	&counter_bad_index.attr.attr,
	&counter_starved.attr.attr,
	&counter_kicks.attr.attr,
	&counter_copied_bytes.attr.attr,
	&counter_leases_lost.attr.attr,
	&counter_clock_steps.attr.attr,
	NULL,
};

static const struct attribute_group lidar_group = {
	.attrs = lidar_attributes,
};

static const struct attribute_group statistics_group = {
	.name = "statistics",
	.attrs = statistics_attributes,
};

const struct attribute_group *lidar_attribute_groups[] = {
	&lidar_group,
	&statistics_group,
	NULL,
};
