// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

class Stream;

// Threads that step the PEs of any number of streams. Whoever finds nothing to do sleeps until
// something has happened somewhere.
class Workers {
  public:
    explicit Workers(unsigned threads);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    void attach(const std::shared_ptr<Stream>& stream);
    // When it returns, no thread is in the stream any more.
    void detach(const std::shared_ptr<Stream>& stream);

    void wake();

    // Works, or sleeps while the threads do, until `is_done` or the deadline. Calls `look` now and
    // then, which may throw. False if the time passed first.
    bool wait(const std::function<bool()>& is_done, double seconds,
              const std::function<void()>& look);

    unsigned size() const { return static_cast<unsigned>(threads_.size()); }

  private:
    bool sweep(std::size_t first);
    void work(unsigned thread);
    void sleep(std::uint64_t seen, std::chrono::milliseconds limit);

    std::shared_mutex streams_mutex_;
    std::vector<std::shared_ptr<Stream>> streams_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<std::uint64_t> activity_{0};
    std::atomic<int> sleepers_{0};
    std::atomic<bool> is_stopping_{false};
    std::vector<std::thread> threads_;
};
