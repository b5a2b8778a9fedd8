// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <utility>

namespace {

std::uint8_t* to_bytes(const void* room) {
    return const_cast<std::uint8_t*>(static_cast<const std::uint8_t*>(room));
}

template <typename Row>
const Row* rows(const weft_tables_t& head, const weft_section_t& section) {
    return reinterpret_cast<const Row*>(reinterpret_cast<const std::uint32_t*>(&head) + section.at);
}

AlignedBytes copy(const void* from, std::size_t size) {
    AlignedBytes bytes = allocate(size);
    if (size > 0) std::memcpy(bytes.get(), from, size);
    return bytes;
}

}  // namespace

Stream::Stream(std::shared_ptr<Library> library, std::uint32_t epoch, std::uint32_t device_deadline)
    : library_(std::move(library)), epoch_(epoch), device_deadline_(device_deadline) {
    mesh_.wake = [](void* self) { static_cast<Stream*>(self)->wake(); };
    mesh_.wake_context = this;
}

void Stream::add(std::uint32_t program, const void* tables, std::size_t tables_size,
                 const void* constants, std::size_t constants_size, const Foreign* foreign) {
    if (is_connected_) throw std::runtime_error("all PEs are added before they are connected");
    if (std::max(tables_size, constants_size) > std::numeric_limits<std::uint32_t>::max())
        throw std::runtime_error("data of a PE are larger than any memory it has");
    const std::size_t words = tables_size / sizeof(std::uint32_t);
    if (words < sizeof(weft_tables_t) / sizeof(std::uint32_t))
        throw std::runtime_error("tables of a PE are too short");
    Pe pe;
    pe.tables = copy(tables, tables_size);
    pe.constants = copy(constants, constants_size);
    const auto& head = *reinterpret_cast<const weft_tables_t*>(pe.tables.get());
    // Damaged sizes must not become a demand for all memory there is.
    if (head.arena_bytes > 1u << 30 || head.state_words > 1u << 24)
        throw std::runtime_error("tables of a PE ask for more memory than any has");
    if (foreign == nullptr) {
        pe.arena = allocate(head.arena_bytes);
        pe.state = allocate(sizeof(std::uint32_t) * head.state_words);
    } else {
        pe.is_foreign = true;
        step_by_caller();
    }
    pe.context = allocate(api().pe_bytes);
    pe.is_busy = std::make_unique<std::atomic<bool>>(false);
    weft_pe_config_t config{};
    config.program = &library_->program(program);
    config.tables = &head;
    config.table_words = static_cast<std::uint32_t>(words);
    config.arena = foreign ? foreign->arena : pe.arena.get();
    config.arena_bytes =
        foreign ? static_cast<std::uint32_t>(foreign->arena_size) : head.arena_bytes;
    config.constants = pe.constants.get();
    config.constants_bytes = static_cast<std::uint32_t>(constants_size);
    config.state = foreign ? foreign->state : reinterpret_cast<std::uint32_t*>(pe.state.get());
    config.state_words =
        foreign ? static_cast<std::uint32_t>(foreign->state_words) : head.state_words;
    config.number = static_cast<std::uint32_t>(pes_.size());
    config.epoch = epoch_;
    config.port = &mesh_;
    auto* context = reinterpret_cast<weft_pe_t*>(pe.context.get());
    const weft_pe_devices_t devices = set_up_devices(pe, *config.program);
    config.devices = devices.devices;
    config.device_count = devices.count;
    check(api().pe_init(context, &config), "start", config.number);
    pe.passed.resize(head.channels.count);
    contexts_.push_back(context);
    try {
        pes_.push_back(std::move(pe));
    } catch (...) {
        contexts_.pop_back();
        throw;
    }
}

weft_pe_devices_t Stream::set_up_devices(Pe& pe, const weft_program_t& program) {
    weft_pe_devices_t made{};
    if (program.devices == nullptr) return made;
    const std::uint32_t size = program.devices->storage_bytes;
    pe.devices = allocate(size);
    const auto* context = reinterpret_cast<const weft_pe_t*>(pe.context.get());
    check(api().devices_init(&program, context, pe.devices.get(), size, device_deadline_, &made),
          "devices", static_cast<std::uint32_t>(pes_.size()));
    return made;
}

void Stream::set_dram(const void* bytes, std::size_t size) {
    if (size > std::numeric_limits<std::uint32_t>::max())
        throw std::runtime_error("DRAM is larger than any that PEs can reach");
    dram_ = copy(bytes, size);
    mesh_.dram = dram_.get();
    mesh_.dram_bytes = static_cast<std::uint32_t>(size);
}

bool Stream::end_job(std::uint32_t number, std::uint32_t device, std::uint32_t sequence,
                     std::uint32_t clock) {
    pes_.at(number).clock = clock;
    return devices_.end(api(), number, device, sequence);
}

weft_device_error_t Stream::device_error(std::uint32_t number, std::uint32_t device) const {
    weft_device_error_t error{};
    if (device >= device_count(number)) throw std::out_of_range("no device of that number");
    api().device_last_error(pe(number)->devices[device], &error);  // idle: there was none
    return error;
}

void Stream::connect() {
    mesh_.pes = contexts_.data();
    mesh_.count = static_cast<std::uint32_t>(contexts_.size());
    is_connected_ = true;
    for (std::uint32_t i = 0; mesh_.clock != nullptr && i < mesh_.count; ++i)
        devices_.take(i, contexts_[i]->devices, contexts_[i]->device_count);
}

bool Stream::step_if_free(std::size_t i, bool* out_worked) {
    if (pes_[i].is_busy->exchange(true, std::memory_order_acquire)) return false;
    const weft_status_t status = api().pe_step(contexts_[i]);
    *out_worked = status == WEFT_OK || status == WEFT_PENDING;  // devices move when they are polled
    if (*out_worked) ++steps_;  // before the PE is free again: see settle
    pes_[i].is_busy->store(false, std::memory_order_release);
    if (weft_status_is_error(status)) keep_failure(i, status);
    return true;
}

bool Stream::sweep(std::size_t first) {
    bool worked = false;
    const std::size_t count = pes_.size();
    for (std::size_t n = 0; n < count; ++n) {
        bool did = false;
        step_if_free((first + n) % count, &did);
        worked = worked || did;
    }
    // What one PE left undone, another thread may have seen busy: it looks again.
    if (worked) wake();
    return worked;
}

// If no step has done anything while every PE was seen free and idle, nothing is on its way.
bool Stream::settle(double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < deadline) {
        const std::uint64_t before = steps_.load();
        bool is_quiet = true;
        for (std::size_t i = 0; i < pes_.size(); ++i) {
            bool did = false;
            if (!step_if_free(i, &did) || did) is_quiet = false;
        }
        if (is_quiet && steps_.load() == before) return true;
    }
    return false;
}

void Stream::keep_failure(std::size_t pe, weft_status_t status) {
    std::int64_t none = -kStatuses;
    const auto failure = static_cast<std::int64_t>(pe) * kStatuses + status % kStatuses;
    if (failed_.compare_exchange_strong(none, failure)) wake();
}

void Stream::step_by_caller() {
    if (is_connected_) throw std::runtime_error("who steps PEs is said before they are connected");
    mesh_.post = [](void* self, const weft_host_signal_t* signal) {
        static_cast<Stream*>(self)->signals_.push_back(*signal);
        return WEFT_OK;
    };
    mesh_.post_context = this;
}

void Stream::step_by_clock() {
    step_by_caller();
    mesh_.clock = [](void* self, std::uint32_t number) {
        return static_cast<Stream*>(self)->pes_.at(number).clock;
    };
    mesh_.clock_context = this;
}

weft_status_t Stream::step_once(std::uint32_t number) {
    weft_pe_t* context = pe(number);
    if (mesh_.post == nullptr || pes_[number].is_foreign)
        throw std::runtime_error("this PE is stepped by somebody else");
    const weft_status_t status = api().pe_step(context);
    if (weft_status_is_error(status)) keep_failure(number, status);
    return status;
}

bool Stream::step(std::uint32_t number) {
    const weft_status_t status = step_once(number);
    return status == WEFT_OK || status == WEFT_PENDING;
}

std::optional<Stream::Stepped> Stream::step_task(std::uint32_t number, std::uint32_t clock) {
    pes_.at(number).clock = clock;
    return step_once(number) == WEFT_OK ? std::optional(last_task(number)) : std::nullopt;
}

// See weft_pe_step: after a task, the lane behind its own comes next. A firing is at the task that
// follows, or has ended: then the shard behind it comes next.
Stream::Stepped Stream::last_task(std::uint32_t number) const {
    const weft_pe_t& context = *contexts_[number];
    const weft_tables_t& head = tables(number);
    std::uint32_t shard = context.shard, next_task = context.next_task;
    bool is_firing = context.firing;
    weft_lane_row_t lane{};
    lane.shard_count = head.shards.count;
    if (const std::uint32_t lanes = head.lanes.count; lanes > 0) {
        lane = rows<weft_lane_row_t>(head, head.lanes)[(context.lane + lanes - 1) % lanes];
        const std::uint32_t* kept = context.state + lane.state;
        shard = kept[0];
        next_task = kept[1];
        is_firing = kept[2] != 0;
    }
    if (is_firing) return {shard, next_task - 1, false};
    if (lane.shard_count == 0) return {0, 0, true};
    if (shard == lane.first_shard) shard += lane.shard_count;
    const std::uint32_t tasks = rows<weft_shard_row_t>(head, head.shards)[shard - 1].task_count;
    return {shard - 1, std::max(tasks, 1u) - 1, true};
}

std::vector<weft_host_signal_t> Stream::take_signals() { return std::exchange(signals_, {}); }

weft_status_t Stream::deliver(const weft_host_signal_t& signal) {
    const std::uint32_t* arguments = signal.arguments;
    switch (signal.kind) {
        case WEFT_HOST_ARRIVAL:
            return api().deliver_arrival(pe(signal.to), signal.epoch, arguments[0], arguments[1],
                                         arguments[2]);
        case WEFT_HOST_CREDIT:
            return api().deliver_credit(pe(signal.to), signal.epoch, arguments[0], arguments[1]);
        default:
            return WEFT_E_ARGUMENT;
    }
}

std::uint64_t Stream::announced_bytes(std::uint32_t number, std::uint32_t index,
                                      std::uint32_t producer) const {
    const weft_slot_row_t& row = slot(number, index);
    if (producer >= row.return_count) throw std::out_of_range("no producer of that number");
    const auto* words = reinterpret_cast<const std::uint32_t*>(&tables(number));
    const auto* returns =
        reinterpret_cast<const weft_return_row_t*>(words + tables(number).returns.at);
    const weft_return_row_t& credit = returns[row.first_return + producer];
    const weft_tables_t& head = tables(credit.pe);
    if (credit.send >= head.sends.count) throw std::out_of_range("no send of that number");
    const auto* sender = reinterpret_cast<const std::uint32_t*>(&head);
    const auto& send =
        reinterpret_cast<const weft_send_row_t*>(sender + head.sends.at)[credit.send];
    return std::uint64_t{send.outer} * send.inner * send.bytes;
}

// See the layout of a slot's state words in runtime/src/pe.c.
std::uint32_t Stream::progress(std::uint32_t number, std::uint32_t index) const {
    const weft_channel_row_t& row = channel(number, index);
    const weft_slot_row_t& of = slot(number, row.slot);
    const std::uint32_t* state = contexts_[number]->state + of.state;
    if (row.direction == WEFT_CHANNEL_IN) return state[0];
    // Producers are at most `depth` frames apart, so the least is close behind the first.
    const std::uint32_t* delivered = state + 1 + of.depth;
    std::uint32_t least = delivered[0];
    for (std::uint32_t i = 1; i < of.producer_count; ++i) {
        if (static_cast<std::int32_t>(delivered[i] - least) < 0) least = delivered[i];
    }
    return least;
}

std::uint32_t Stream::depth(std::uint32_t number, std::uint32_t index) const {
    return slot(number, channel(number, index).slot).depth;
}

bool Stream::write(std::uint32_t number, std::uint32_t offset, const void* from, std::size_t size) {
    if (number >= contexts_.size()) return false;
    const std::size_t room = tables(number).arena_bytes;
    if (offset > room || size > room - offset) return false;
    if (size > 0) std::memcpy(contexts_[number]->arena + offset, from, size);
    return true;
}

weft_pe_t* Stream::pe(std::uint32_t number) const {
    if (number >= contexts_.size()) throw std::out_of_range("no PE of that number");
    return contexts_[number];
}

const weft_tables_t& Stream::tables(std::uint32_t number) const {
    if (number >= pes_.size()) throw std::out_of_range("no PE of that number");
    return *reinterpret_cast<const weft_tables_t*>(pes_[number].tables.get());
}

const weft_channel_row_t& Stream::channel(std::uint32_t pe, std::uint32_t channel) const {
    const weft_tables_t& head = tables(pe);
    if (channel >= head.channels.count) throw std::out_of_range("no channel of that number");
    return rows<weft_channel_row_t>(head, head.channels)[channel];
}

const weft_slot_row_t& Stream::slot(std::uint32_t pe, std::uint32_t index) const {
    const weft_tables_t& head = tables(pe);
    if (index >= head.slots.count) throw std::out_of_range("no slot of that number");
    return rows<weft_slot_row_t>(head, head.slots)[index];
}

// Where the next frame of a channel is, or will be.
std::uint8_t* Stream::room(std::uint32_t number, std::uint32_t index) const {
    if (channel(number, index).direction == WEFT_CHANNEL_IN) {
        void* room = nullptr;
        return api().channel_acquire(pe(number), index, &room) == WEFT_OK ? to_bytes(room)
                                                                          : nullptr;
    }
    const void* room = nullptr;
    return api().channel_observe(pe(number), index, &room) == WEFT_OK ? to_bytes(room) : nullptr;
}

bool Stream::has_room(std::uint32_t number, std::uint32_t index) const {
    void* room = nullptr;
    return api().channel_acquire(pe(number), index, &room) == WEFT_OK;
}

bool Stream::has_frame(std::uint32_t number, std::uint32_t index) const {
    const void* room = nullptr;
    return api().channel_observe(pe(number), index, &room) == WEFT_OK;
}

bool Stream::publish(std::uint32_t number, std::uint32_t index) {
    const weft_status_t status = api().channel_publish(pe(number), index);
    if (status == WEFT_E_SEQUENCE) return false;
    check(status, "publish", number);
    ++pes_[number].passed[index];
    wake();
    return true;
}

bool Stream::release(std::uint32_t number, std::uint32_t index) {
    const weft_status_t status = api().channel_release(pe(number), index);
    if (status == WEFT_E_SEQUENCE) return false;
    check(status, "release", number);
    ++pes_[number].passed[index];
    wake();
    return true;
}

std::uint64_t Stream::passed(std::uint32_t number, std::uint32_t index) const {
    channel(number, index);  // throws if there is none
    return pes_[number].passed[index];
}

void Stream::fail(std::uint32_t number, weft_status_t status) {
    check(api().pe_fail(pe(number), status), "fail", number);
    wake();
}

void Stream::set_bell(const std::shared_ptr<Bell>& bell) {
    if (!is_connected_) throw std::runtime_error("PEs are connected before they work");
    if (mesh_.post != nullptr) throw std::runtime_error("these PEs are stepped one by one");
    if (bell_ != nullptr) throw std::runtime_error("these PEs have had their workers");
    bell_ = bell;
    rung_ = bell.get();
}

void Stream::abandon() {
    is_abandoned_ = true;
    wake();
}

void Stream::wake() {
    if (Bell* bell = rung_.load()) bell->ring();
}

void Stream::check(weft_status_t status, const char* what, std::uint32_t pe) const {
    if (status == WEFT_OK) return;
    throw std::runtime_error("PE " + std::to_string(pe) + ", " + what + ": " +
                             api().status_string(status));
}
