// SPDX-License-Identifier: Apache-2.0
#include "clocked_devices.hpp"

#include <stdexcept>
#include <utility>

namespace {

// A model may take a few polls; one that takes more never ends.
constexpr int kPolls = 1 << 12;

}  // namespace

void ClockedDevices::take(std::uint32_t pe, weft_device_t* const* devices, std::uint32_t count) {
    if (drivers_.size() <= pe) drivers_.resize(pe + 1);
    for (std::uint32_t i = 0; i < count; ++i) {
        auto driver = std::make_unique<Driver>();
        static_cast<weft_device_driver_t&>(*driver) = *devices[i]->config.driver;
        driver->own = devices[i]->config.driver;
        driver->start = start;
        driver->poll = poll;
        driver->all = this;
        driver->on = devices[i];
        driver->pe = pe;
        driver->device = i;
        driver->ended = 0;
        devices[i]->config.driver = driver.get();
        drivers_[pe].push_back(std::move(driver));
    }
}

ClockedDevices::Driver& ClockedDevices::of(const weft_device_t* device) {
    return *const_cast<Driver*>(static_cast<const Driver*>(device->config.driver));
}

weft_status_t ClockedDevices::start(weft_device_t* device, const weft_job_t* job) {
    Driver& driver = of(device);
    const weft_status_t status = driver.own->start(device, job);
    if (status == WEFT_OK || status == WEFT_PENDING) {
        driver.all->begun_.push_back(
            {driver.pe, driver.device, job->sequence, job->label, status == WEFT_OK});
    }
    return status;
}

weft_status_t ClockedDevices::poll(weft_device_t* device, const weft_job_t* job) {
    const Driver& driver = of(device);
    const bool has_ended = static_cast<std::int32_t>(driver.ended - job->sequence) > 0;
    if (!has_ended || driver.own->poll == nullptr) return WEFT_PENDING;
    weft_status_t status = WEFT_PENDING;
    for (int i = 0; i < kPolls && status == WEFT_PENDING; ++i)
        status = driver.own->poll(device, job);
    return status;
}

std::vector<BegunJob> ClockedDevices::take_begun() { return std::exchange(begun_, {}); }

bool ClockedDevices::end(const weft_host_library_t& api, std::uint32_t pe, std::uint32_t device,
                         std::uint32_t sequence) {
    if (pe >= drivers_.size() || device >= drivers_[pe].size())
        throw std::out_of_range("no device of that number");
    Driver& driver = *drivers_[pe][device];
    driver.ended = sequence + 1;
    api.device_poll(driver.on);
    const weft_ticket_t ticket{driver.on, sequence};
    return api.ticket_state(&ticket) != WEFT_PENDING;
}
