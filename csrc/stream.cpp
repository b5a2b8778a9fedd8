// SPDX-License-Identifier: Apache-2.0
#include "stream.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <utility>

namespace {

// Of the host's clock, in microseconds: for jobs of devices, which are C here.
constexpr std::uint32_t kDeviceDeadline = 30'000'000;

std::uint8_t* to_bytes(const void* room) {
    return const_cast<std::uint8_t*>(static_cast<const std::uint8_t*>(room));
}

AlignedBytes copy(const void* from, std::size_t size) {
    AlignedBytes bytes = allocate(size);
    if (size > 0) std::memcpy(bytes.get(), from, size);
    return bytes;
}

}  // namespace

Stream::Stream(std::shared_ptr<Library> library, std::uint32_t epoch)
    : library_(std::move(library)), epoch_(epoch) {
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
        mesh_.post = [](void* self, const weft_host_signal_t* signal) {
            static_cast<Stream*>(self)->signals_.push_back(*signal);
            return WEFT_OK;
        };
        mesh_.post_context = this;
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
    check(api().devices_init(&program, context, pe.devices.get(), size, kDeviceDeadline, &made),
          "devices", static_cast<std::uint32_t>(pes_.size()));
    return made;
}

void Stream::connect() {
    mesh_.pes = contexts_.data();
    mesh_.count = static_cast<std::uint32_t>(contexts_.size());
    is_connected_ = true;
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

bool Stream::step(std::uint32_t number) {
    weft_pe_t* context = pe(number);
    if (mesh_.post == nullptr || pes_[number].is_foreign)
        throw std::runtime_error("this PE is stepped by somebody else");
    const weft_status_t status = api().pe_step(context);
    if (weft_status_is_error(status)) keep_failure(number, status);
    return status == WEFT_OK || status == WEFT_PENDING;
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
    const auto* words = reinterpret_cast<const std::uint32_t*>(&head) + head.channels.at;
    return reinterpret_cast<const weft_channel_row_t*>(words)[channel];
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
