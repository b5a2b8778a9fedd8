// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "bell.hpp"

class Stream;

// Threads that step the PEs of any number of streams. Whoever finds nothing to do sleeps until
// something has happened somewhere.
class Workers {
  public:
    explicit Workers(unsigned threads);
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    // A stream has one set of workers in its life.
    void attach(const std::shared_ptr<Stream>& stream);
    // When it returns, no thread is in the stream any more.
    void detach(const std::shared_ptr<Stream>& stream);

    // Works, or sleeps while the threads do, until `is_done` or the deadline. Calls `look` now and
    // then, which may throw. False if the time passed first.
    bool wait(const std::function<bool()>& is_done, double seconds,
              const std::function<void()>& look);

    unsigned size() const { return static_cast<unsigned>(threads_.size()); }

  private:
    std::shared_lock<std::shared_mutex> enter();
    std::unique_lock<std::shared_mutex> enter_alone();
    bool sweep(std::size_t first);
    void work(unsigned thread);

    // Who wait to change the streams: threads that are never all idle at one time would keep them
    // out for good.
    std::atomic<int> waiting_{0};
    std::shared_mutex streams_mutex_;
    std::vector<std::shared_ptr<Stream>> streams_;
    std::shared_ptr<Bell> bell_ = std::make_shared<Bell>();
    std::atomic<bool> is_stopping_{false};
    std::vector<std::thread> threads_;
};
