// SPDX-License-Identifier: Apache-2.0
#include "instruction_counter.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

InstructionCounter::InstructionCounter(std::vector<Region> regions, Stop stop, StackWatch watch)
    : watch(watch), regions_(std::move(regions)), stop_(stop) {
    forget();
}

void InstructionCounter::on_block(void* emulator, std::uint64_t address, std::uint32_t size,
                                  void* self) {
    auto& counter = *static_cast<InstructionCounter*>(self);
    if (counter.count >= counter.limit) {
        counter.stop_(emulator);  // before the block, which is counted when the core goes on
        return;
    }
    const Known& block = counter.known(address, size);
    if (block.pushed != 0 && counter.watch.overflows(emulator, block.pushed)) {
        counter.stop_(emulator);
        return;
    }
    counter.add(block);
}

void InstructionCounter::set_functions(std::vector<std::uint64_t> starts) {
    functions_ = std::move(starts);
    forget();
}

bool InstructionCounter::set_executive(std::vector<std::uint64_t> kernels, std::uint64_t firing,
                                       std::uint64_t shard, std::uint64_t task) {
    constexpr std::size_t kWord = sizeof(std::uint32_t);
    executive_ = {std::move(kernels), find_all(firing, 1), find_all(shard, kWord),
                  find_all(task, kWord)};
    const bool is_there = executive_.firing && executive_.shard && executive_.task;
    if (!is_there) executive_ = {};
    forget();
    return is_there;
}

void InstructionCounter::forget() {
    known_.fill({});
    counts_.clear();
    work_ = {-1, -1};
    row_ = &counts_[work_];
    row_->resize(functions_.size() + 1);
    in_kernel_ = false;
    last_target_ = Target::none;
    last_count_ = nullptr;
}

// The refill after a jump is part of what the jump counted for.
void InstructionCounter::add(const Known& block) {
    if (last_target_ != Target::none && (last_always_jumps_ || block.address != last_end_)) {
        const bool is_split = block.cost.starts_wide && (block.address & 2) != 0;
        last_count_->cycles += refill_cycles(last_target_, is_split);
    }
    const Work work = work_at(block);
    if (work != work_) {
        work_ = work;
        row_ = &counts_[work];
        row_->resize(functions_.size() + 1);  // no change after the first time: pointers stay good
    }
    last_count_ = &(*row_)[block.function];
    last_count_->instructions += block.cost.instructions;
    last_count_->cycles += block.cost.cycles;
    count += block.cost.instructions;
    last_end_ = block.address + block.size;
    last_function_ = block.function;
    last_target_ = block.cost.target;
    last_always_jumps_ = block.cost.always_jumps;
}

InstructionCounter::Work InstructionCounter::work_at(const Known& block) {
    if (in_kernel_) {
        if (block.function != caller_) return work_;
        in_kernel_ = false;
    }
    if (executive_.firing == nullptr || *executive_.firing == 0) return {-1, -1};
    std::uint32_t shard = 0, task = 0;
    std::memcpy(&shard, executive_.shard, sizeof shard);
    if (!block.begins_kernel) return {shard, -1};
    std::memcpy(&task, executive_.task, sizeof task);
    in_kernel_ = true;
    caller_ = last_function_;
    return {shard, task};
}

const InstructionCounter::Known& InstructionCounter::known(std::uint64_t address,
                                                           std::uint32_t size) {
    Known& known = known_[(address >> 1) % known_.size()];
    if (known.address != address || known.size != size) known = look_at(address, size);
    return known;
}

InstructionCounter::Known InstructionCounter::look_at(std::uint64_t address,
                                                      std::uint32_t size) const {
    Known found;
    found.address = address;
    found.size = size;
    const auto after = std::upper_bound(functions_.begin(), functions_.end(), address);
    found.function = static_cast<std::uint32_t>(after - functions_.begin());
    const auto& kernels = executive_.kernels;
    found.begins_kernel = std::find(kernels.begin(), kernels.end(), address) != kernels.end();
    const auto [code, available] = find(address);
    const std::size_t bytes = std::min<std::size_t>(size, available);
    found.cost = cost_of_block(code, bytes);
    found.pushed = StackWatch::pushed_by(code, bytes);
    return found;
}

std::pair<const std::uint8_t*, std::size_t> InstructionCounter::find(std::uint64_t address) const {
    for (const Region& region : regions_) {
        if (address < region.origin || address - region.origin >= region.size) continue;
        const std::size_t begin = address - region.origin;
        return {region.bytes + begin, region.size - begin};
    }
    return {nullptr, 0};
}

const std::uint8_t* InstructionCounter::find_all(std::uint64_t address, std::size_t size) const {
    const auto [bytes, available] = find(address);
    return available < size ? nullptr : bytes;
}
