// SPDX-License-Identifier: Apache-2.0
#include "workers.hpp"

#include <algorithm>
#include <chrono>

#include "stream.hpp"

namespace {

using Clock = std::chrono::steady_clock;

// How often a wait looks for an interrupt from the keyboard.
constexpr auto kLookPeriod = std::chrono::milliseconds(50);
// Nobody sleeps longer than this, so that no lost message can stop the work for good.
constexpr auto kLongestSleep = std::chrono::milliseconds(100);

}  // namespace

Workers::Workers(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
}

Workers::~Workers() {
    is_stopping_ = true;
    bell_->ring();
    for (std::thread& thread : threads_) thread.join();
}

void Workers::attach(const std::shared_ptr<Stream>& stream) {
    stream->set_bell(bell_);
    {
        const std::unique_lock<std::shared_mutex> lock = enter_alone();
        streams_.push_back(stream);
    }
    bell_->ring();
}

void Workers::detach(const std::shared_ptr<Stream>& stream) {
    {
        const std::unique_lock<std::shared_mutex> lock = enter_alone();
        streams_.erase(std::remove(streams_.begin(), streams_.end(), stream), streams_.end());
    }
    stream->abandon();
}

std::shared_lock<std::shared_mutex> Workers::enter() {
    while (waiting_.load() > 0) std::this_thread::yield();
    return std::shared_lock<std::shared_mutex>(streams_mutex_);
}

std::unique_lock<std::shared_mutex> Workers::enter_alone() {
    ++waiting_;
    std::unique_lock<std::shared_mutex> lock(streams_mutex_);
    --waiting_;
    return lock;
}

bool Workers::sweep(std::size_t first) {
    const std::shared_lock<std::shared_mutex> lock = enter();
    bool worked = false;
    for (std::size_t n = 0; n < streams_.size(); ++n) {
        Stream& stream = *streams_[(first + n) % streams_.size()];
        if (stream.sweep(first)) worked = true;
    }
    return worked;
}

void Workers::work(unsigned thread) {
    while (!is_stopping_.load()) {
        const std::uint64_t seen = bell_->rings();
        // Threads start at different PEs, so that they seldom meet.
        if (!sweep(std::size_t{thread} * 7919u)) bell_->sleep(seen, kLongestSleep);
    }
}

bool Workers::wait(const std::function<bool()>& is_done, double seconds,
                   const std::function<void()>& look) {
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    auto next_look = Clock::now() + kLookPeriod;
    while (true) {
        const std::uint64_t seen = bell_->rings();
        if (is_done()) return true;
        const bool worked = threads_.empty() && sweep(0);
        const auto now = Clock::now();
        if (!(now < deadline)) return false;  // a deadline that is no number has passed
        if (now >= next_look) {
            next_look = now + kLookPeriod;
            look();
        }
        if (!worked) bell_->sleep(seen, kLookPeriod);
    }
}
