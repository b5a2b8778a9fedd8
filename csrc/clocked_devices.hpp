// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "library.hpp"

// A job that a device has begun. Of a device that blocks it is done already.
struct BegunJob {
    std::uint32_t pe, device, sequence, label;
    bool is_done;
};

// The devices of PEs whose clock somebody else has: a job is not done before he says so, and
// whatever the device makes of it, its model or a wrapper of the user's, it makes then.
class ClockedDevices {
  public:
    // Takes the devices of a PE, which are ready and have no jobs. They outlive this.
    void take(std::uint32_t pe, weft_device_t* const* devices, std::uint32_t count);

    // What has begun since, in order.
    std::vector<BegunJob> take_begun();

    // Ends what a device has begun, up to that job; whether it is over. If not, the device itself
    // has not completed it. Others may begin.
    bool end(const weft_host_library_t& api, std::uint32_t pe, std::uint32_t device,
             std::uint32_t sequence);

  private:
    // Stands in for the device's own driver, which it knows.
    struct Driver : weft_device_driver_t {
        const weft_device_driver_t* own;
        ClockedDevices* all;
        weft_device_t* on;
        std::uint32_t pe, device, ended;  // jobs that have, in all
    };

    static weft_status_t start(weft_device_t* device, const weft_job_t* job);
    static weft_status_t poll(weft_device_t* device, const weft_job_t* job);
    static Driver& of(const weft_device_t* device);

    std::vector<std::vector<std::unique_ptr<Driver>>> drivers_;  // by PE and device
    std::vector<BegunJob> begun_;
};
