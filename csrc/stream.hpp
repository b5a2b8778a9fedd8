// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bell.hpp"
#include "clocked_devices.hpp"
#include "library.hpp"
#include "memory.hpp"

// The PEs of one compiled program in this process: their memory, and the calls into the runtime.
// PE numbers are the program's own. What runs when is decided in the runtime.
class Stream {
  public:
    // `device_deadline` is what a job of a device may take at most, in ticks of its PE's clock:
    // microseconds, or cycles of the machine where there is a clock.
    Stream(std::shared_ptr<Library> library, std::uint32_t epoch, std::uint32_t device_deadline);

    // The caller's memory of a PE that somebody else steps: nothing here but the outside's ends of
    // its channels, and what others write into its arena. It outlives the stream.
    struct Foreign {
        std::uint8_t* arena;
        std::size_t arena_size;
        std::uint32_t* state;
        std::size_t state_words;
    };

    // All PEs first, then `connect`, then workers. Sizes are in bytes; both are copied.
    void add(std::uint32_t program, const void* tables, std::size_t tables_size,
             const void* constants, std::size_t constants_size, const Foreign* foreign = nullptr);
    // What is in DRAM, which is copied. Before `connect`; without, there is none.
    void set_dram(const void* bytes, std::size_t size);
    void connect();

    // Steps the PEs that nobody else is stepping, once each, from `first` on. True if one of them
    // did something.
    bool sweep(std::size_t first);

    // Steps all PEs until none of them, whoever steps it, has anything to do. False if `seconds`
    // passed first.
    bool settle(double seconds);

    // An end for the outside: `row` bytes and how they lie.
    const weft_channel_row_t& channel(std::uint32_t pe, std::uint32_t channel) const;
    std::uint8_t* room(std::uint32_t pe, std::uint32_t channel) const;
    bool has_room(std::uint32_t pe, std::uint32_t channel) const;
    bool has_frame(std::uint32_t pe, std::uint32_t channel) const;
    bool publish(std::uint32_t pe, std::uint32_t channel);
    bool release(std::uint32_t pe, std::uint32_t channel);
    // Frames that were published or released there in all.
    std::uint64_t passed(std::uint32_t pe, std::uint32_t channel) const;

    // The first PE that failed, -1 if none did, and its status.
    std::int64_t failed_pe() const { return failed_.load() / kStatuses; }
    weft_status_t failure() const {
        return failed_.load() < 0 ? WEFT_OK
                                  : static_cast<weft_status_t>(failed_.load() % kStatuses);
    }
    void fail(std::uint32_t pe, weft_status_t status);

    // PEs without workers, as they are with foreign ones among them: the caller steps the others
    // one by one, takes what they say and delivers it. One thread at a time. Before `connect`.
    void step_by_caller();
    // True if the PE did something; a failure is kept.
    bool step(std::uint32_t pe);
    // The same, with a clock for PEs that stands while one is stepped.
    void step_by_clock();
    // Which task a step has run, and whether the firing ended with it. A shard without tasks ends
    // its firing at once, with task 0.
    struct Stepped {
        std::uint32_t shard, task;
        bool is_last;
    };
    // None if the PE did nothing. `clock` is what it sees meanwhile, in ticks of its own.
    std::optional<Stepped> step_task(std::uint32_t pe, std::uint32_t clock);
    std::vector<weft_host_signal_t> take_signals();
    // Under a clock, devices end their jobs when the caller says so: see ClockedDevices.
    std::vector<BegunJob> take_jobs() { return devices_.take_begun(); }
    bool end_job(std::uint32_t pe, std::uint32_t device, std::uint32_t sequence,
                 std::uint32_t clock);
    // Why a device of a PE failed last: status, label and sequence of the job. WEFT_OK if none did.
    weft_device_error_t device_error(std::uint32_t pe, std::uint32_t device) const;
    std::uint32_t device_count(std::uint32_t pe) const { return this->pe(pe)->device_count; }
    weft_status_t deliver(const weft_host_signal_t& signal);
    // The bytes that came with an arrival: of the send that announces it.
    std::uint64_t announced_bytes(std::uint32_t pe, std::uint32_t slot,
                                  std::uint32_t producer) const;
    // Of an end for the outside, modulo 2^32: the frames of an input that the PE has consumed, or
    // those of an output that are there whole or were.
    std::uint32_t progress(std::uint32_t pe, std::uint32_t channel) const;
    std::uint32_t depth(std::uint32_t pe, std::uint32_t channel) const;
    // As another PE writes. False if there is no such PE or room.
    bool write(std::uint32_t pe, std::uint32_t offset, const void* from, std::size_t size);

    std::size_t size() const { return pes_.size(); }
    weft_pe_t* pe(std::uint32_t number) const;
    const weft_tables_t& tables(std::uint32_t number) const;
    const weft_host_library_t& api() const { return library_->api(); }

    // Who is told when something has happened. Once, and after `connect`.
    void set_bell(const std::shared_ptr<Bell>& bell);
    // Its workers have left: who waits for it waits in vain.
    void abandon();
    bool is_abandoned() const { return is_abandoned_.load(); }
    void wake();

  private:
    struct Pe {
        AlignedBytes tables, constants, arena, state, context, devices;
        std::vector<std::uint64_t> passed;  // by channel
        std::unique_ptr<std::atomic<bool>> is_busy;
        bool is_foreign = false;
        std::uint32_t clock = 0;
    };

    // Statuses are small; with a PE's number one makes a number, so that the two go together.
    static constexpr std::int64_t kStatuses = 1 << 16;

    weft_pe_devices_t set_up_devices(Pe& pe, const weft_program_t& program);

    // Steps a PE once unless somebody else does; false if so.
    bool step_if_free(std::size_t pe, bool* out_worked);
    const weft_slot_row_t& slot(std::uint32_t pe, std::uint32_t slot) const;
    weft_status_t step_once(std::uint32_t pe);
    Stepped last_task(std::uint32_t pe) const;
    void check(weft_status_t status, const char* what, std::uint32_t pe) const;
    void keep_failure(std::size_t pe, weft_status_t status);

    std::shared_ptr<Library> library_;
    std::uint32_t epoch_, device_deadline_;
    std::vector<Pe> pes_;
    std::vector<weft_pe_t*> contexts_;
    weft_host_mesh_t mesh_{};
    AlignedBytes dram_;
    bool is_connected_ = false;
    std::atomic<std::uint64_t> steps_{0};  // that did something
    std::vector<weft_host_signal_t> signals_;
    ClockedDevices devices_;
    std::atomic<std::int64_t> failed_{-kStatuses};
    std::atomic<bool> is_abandoned_{false};
    std::shared_ptr<Bell> bell_;
    std::atomic<Bell*> rung_{nullptr};  // bell_, for all threads
};
