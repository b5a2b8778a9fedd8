// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

// Wakes those who found nothing to do. Streams keep it alive beyond the workers that sleep by it.
class Bell {
  public:
    void ring() {
        ++rings_;
        if (sleepers_.load() == 0) return;
        // The lock makes sure that a sleeper either has seen the new count or gets the notice.
        {
            const std::lock_guard<std::mutex> lock(mutex_);
        }
        changed_.notify_all();
    }

    std::uint64_t rings() const { return rings_.load(); }

    // Sleeps unless it has rung since there were `seen` rings.
    void sleep(std::uint64_t seen, std::chrono::milliseconds limit) {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleepers_;
        changed_.wait_for(lock, limit, [&] { return rings_.load() != seen; });
        --sleepers_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<std::uint64_t> rings_{0};
    std::atomic<int> sleepers_{0};
};
