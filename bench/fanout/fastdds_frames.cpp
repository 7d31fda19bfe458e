/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fastdds_frames.cpp - see fastdds_frames.h
 *
 * A frame is octets of a fixed number, which the library calls a plain type: what a writer
 * can lend.  The type is written by hand, so no generator is needed.
 */
#include "bench/fanout/fastdds_frames.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <unistd.h>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/rtps/transport/shared_mem/SharedMemTransportDescriptor.h>

namespace fdds = eprosima::fastdds::dds;
namespace frtps = eprosima::fastrtps::rtps;
using eprosima::fastrtps::types::ReturnCode_t;

namespace {

/* Of what surrounds a frame in a message. */
constexpr uint32_t message_overhead_bytes = 4096;
/* Samples beside those that wait: one being written, one being read. */
constexpr int extra_samples = 4;

class frame_type : public fdds::TopicDataType {
public:
	explicit frame_type(uint64_t bytes) : bytes(bytes)
	{
		setName("frame");
		m_typeSize = static_cast<uint32_t>(bytes) + header_bytes;
		auto_fill_type_object(false);
		auto_fill_type_information(false);
	}

	bool serialize(void *frame, frtps::SerializedPayload_t *payload) override
	{
		static const uint8_t header[header_bytes] = { 0, 1, 0, 0 };

		if (payload->max_size < m_typeSize)
			return false;
		memcpy(payload->data, header, header_bytes);
		memcpy(payload->data + header_bytes, frame, bytes);
		payload->encapsulation = CDR_LE;
		payload->length = m_typeSize;
		return true;
	}

	bool deserialize(frtps::SerializedPayload_t *payload, void *frame) override
	{
		if (payload->length != m_typeSize)
			return false;
		memcpy(frame, payload->data + header_bytes, bytes);
		return true;
	}

	std::function<uint32_t()> getSerializedSizeProvider(void *) override
	{
		return [this] { return m_typeSize; };
	}

	void *createData() override
	{
		return calloc(1, bytes);
	}

	void deleteData(void *frame) override
	{
		free(frame);
	}

	bool getKey(void *, frtps::InstanceHandle_t *, bool) override
	{
		return false;
	}

	bool is_bounded() const override
	{
		return true;
	}

	bool is_plain() const override
	{
		return true;
	}

private:
	static constexpr uint32_t header_bytes = 4;
	const uint64_t bytes;
};

/* Samples are only lent, so what a sequence of them would own does not matter. */
typedef fdds::LoanableSequence<uint8_t> sample_sequence;

[[noreturn]] void give_up(const char *what)
{
	fprintf(stderr, "fastdds: %s\n", what);
	_exit(EXIT_FAILURE);
}

template <typename T> T *check(T *made, const char *what)
{
	if (!made)
		give_up(what);
	return made;
}

/* Through shared memory only, in messages and a segment as large as frames are. */
fdds::DomainParticipant *new_participant(const struct fastdds_plan *plan)
{
	auto transport = std::make_shared<eprosima::fastdds::rtps::SharedMemTransportDescriptor>();
	uint32_t message_bytes = static_cast<uint32_t>(plan->bytes) + message_overhead_bytes;
	fdds::DomainParticipantQos qos;

	transport->max_message_size(message_bytes);
	transport->segment_size(message_bytes * (plan->queue + extra_samples));
	qos.transport().use_builtin_transports = false;
	qos.transport().user_transports.push_back(transport);
	return check(fdds::DomainParticipantFactory::get_instance()->create_participant(0, qos),
		     "no participant");
}

fdds::Topic *new_topic(fdds::DomainParticipant *participant, const struct fastdds_plan *plan)
{
	fdds::TypeSupport type(new frame_type(plan->bytes));

	if (type.register_type(participant) != ReturnCode_t::RETCODE_OK)
		give_up("no type");
	return check(participant->create_topic("frames", "frame", fdds::TOPIC_QOS_DEFAULT),
		     "no topic");
}

/* The same for both ends: reliable, as many frames of history as may wait. */
template <typename Q> void set_qos(Q &qos, const struct fastdds_plan *plan)
{
	qos.reliability().kind = fdds::RELIABLE_RELIABILITY_QOS;
	qos.reliability().max_blocking_time = { 1, 0 };
	qos.durability().kind = fdds::VOLATILE_DURABILITY_QOS;
	qos.history().kind = fdds::KEEP_LAST_HISTORY_QOS;
	qos.history().depth = static_cast<int32_t>(plan->queue);
	qos.resource_limits().max_instances = 1;
	qos.resource_limits().max_samples = static_cast<int32_t>(plan->queue);
	qos.resource_limits().max_samples_per_instance = static_cast<int32_t>(plan->queue);
	qos.resource_limits().allocated_samples = static_cast<int32_t>(plan->queue);
	qos.resource_limits().extra_samples = extra_samples;
	qos.endpoint().history_memory_policy = frtps::PREALLOCATED_MEMORY_MODE;
	if (plan->shared)
		qos.data_sharing().on("");
	else
		qos.data_sharing().off();
}

} // namespace

struct fastdds_writer {
	fdds::DataWriter *writer;
};

struct fastdds_reader {
	fdds::DataReader *reader;
	sample_sequence samples;
	fdds::SampleInfoSeq infos;
};

struct fastdds_writer *fastdds_writer_new(const struct fastdds_plan *plan)
{
	fdds::DomainParticipant *participant = new_participant(plan);
	fdds::Topic *topic = new_topic(participant, plan);
	fdds::DataWriterQos qos;
	auto *w = new fastdds_writer{};

	set_qos(qos, plan);
	w->writer = check(check(participant->create_publisher(fdds::PUBLISHER_QOS_DEFAULT),
				"no publisher")->create_datawriter(topic, qos), "no writer");
	return w;
}

void *fastdds_writer_loan(struct fastdds_writer *w)
{
	void *sample = nullptr;
	ReturnCode_t r = w->writer->loan_sample(sample);

	if (r == ReturnCode_t::RETCODE_ILLEGAL_OPERATION)
		give_up("no samples to lend");
	return r == ReturnCode_t::RETCODE_OK ? sample : nullptr;
}

void fastdds_writer_write(struct fastdds_writer *w, void *frame)
{
	/* some reader was too slow for too long: the frame is lost, what was lent comes back */
	if (!w->writer->write(frame))
		w->writer->discard_loan(frame);
}

struct fastdds_reader *fastdds_reader_new(const struct fastdds_plan *plan)
{
	fdds::DomainParticipant *participant = new_participant(plan);
	fdds::Topic *topic = new_topic(participant, plan);
	fdds::SubscriptionMatchedStatus matched;
	fdds::DataReaderQos qos;
	auto *r = new fastdds_reader{};

	set_qos(qos, plan);
	r->reader = check(check(participant->create_subscriber(fdds::SUBSCRIBER_QOS_DEFAULT),
				"no subscriber")->create_datareader(topic, qos), "no reader");
	do {
		usleep(1000);
		r->reader->get_subscription_matched_status(matched);
	} while (matched.current_count == 0);
	return r;
}

const void *fastdds_reader_take(struct fastdds_reader *r)
{
	while (r->reader->take(r->samples, r->infos, 1) != ReturnCode_t::RETCODE_OK)
		r->reader->wait_for_unread_message({ 1, 0 });
	if (r->infos[0].valid_data)
		return r->samples.buffer()[0];
	r->reader->return_loan(r->samples, r->infos);
	return nullptr;
}

bool fastdds_reader_release(struct fastdds_reader *r)
{
	bool valid = r->reader->is_sample_valid(r->samples.buffer()[0], &r->infos[0]);

	r->reader->return_loan(r->samples, r->infos);
	return valid;
}
