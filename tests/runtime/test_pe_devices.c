/* SPDX-License-Identifier: Apache-2.0 */
/* Setting up the devices of a program in storage of the caller. */
#include "fixture.h"
#include "mac_array.h"
#include "null.h"
#include "weft/pe_devices.h"
#include "weft_test.h"

enum { DEADLINE = 1000, DEVICES = 3 };

static const uint32_t wide[] = {29u, 1u, 1u}, odd[] = {25u, 0u, 0u};

static weft_device_facts_t wide_facts;

/* One of a kind, and two of another with options of their own. */
static weft_device_setup_t setups[DEVICES];
static weft_program_devices_t devices;
static weft_program_t program;

static uint32_t storage_of(const weft_device_setup_t *setup)
{
    return WEFT_DEVICE_STORAGE(setup->context_bytes, setup->descriptor_bytes, setup->job_count);
}

static void make(void)
{
    static const uint32_t usual[] = {24u, 0u, 0u};
    wide_facts = weft_mac_array_driver.facts;
    wide_facts.accumulator_bits = 29u;
    setups[0] =
        (weft_device_setup_t){&weft_null_driver,       NULL, NULL, 0u, sizeof(weft_null_context_t),
                              sizeof(weft_null_job_t), 1u};
    setups[1] = (weft_device_setup_t){
        &weft_mac_array_driver,       NULL, usual, 3u, sizeof(weft_mac_array_t),
        sizeof(weft_mac_array_job_t), 4u};
    setups[2] = setups[1];
    setups[2].facts = &wide_facts;
    setups[2].options = wide;
    setups[2].job_count = 2u;
    devices = (weft_program_devices_t){.count = DEVICES,
                                       .setups = setups,
                                       .tables_are_valid = weft_device_tables_are_valid,
                                       .check = weft_pe_check_devices,
                                       .await = weft_pe_await};
    for (uint32_t i = 0; i < DEVICES; ++i) devices.storage_bytes += storage_of(&setups[i]);
    program = fixture_program;
    program.devices = &devices;
}

static weft_status_t set_up(void *storage, uint32_t bytes, weft_pe_devices_t *out)
{
    return weft_pe_devices_init(&program, NULL, storage, bytes, DEADLINE, out);
}

/* In a heap block of exactly as many bytes as the program says. */
TEST(devices_have_room_for_their_jobs_in_the_storage)
{
    weft_pe_devices_t found = {0};
    make();
    uint8_t *storage = fixture_aligned(devices.storage_bytes);
    CHECK_EQ(set_up(storage, devices.storage_bytes, &found), WEFT_OK);
    CHECK_EQ(found.count, DEVICES);
    for (uint32_t i = 0; i < DEVICES; ++i) {
        weft_device_t *device = found.devices[i];
        CHECK((uint8_t *)device >= storage && (uint8_t *)device < storage + devices.storage_bytes);
        const weft_device_facts_t *facts = weft_device_facts(device);
        CHECK(facts == (i == 2u ? &wide_facts : &setups[i].driver->facts));
        CHECK_EQ(device->config.job_count, setups[i].job_count);
        CHECK_EQ(device->config.deadline_ticks, DEADLINE);
        for (uint32_t job = 0; job < setups[i].job_count; ++job) {
            void *room = NULL;
            weft_ticket_t ticket;
            CHECK_EQ(weft_device_reserve(device, &room), WEFT_OK);
            memset(room, 0xFF, facts->descriptor_bytes); /* makes no sense: refused at once */
            CHECK_EQ(weft_device_submit(device, NULL, 0u, 0u, job, &ticket), WEFT_OK);
            CHECK_EQ(weft_device_wait(device, 0u, DEADLINE), WEFT_OK);
            CHECK_EQ(weft_ticket_state(&ticket), WEFT_E_ARGUMENT);
        }
    }
    free(storage);
}

/* Once more in the same storage, whatever is in it: that is how a PE starts anew after a crash. */
TEST(storage_may_hold_anything)
{
    weft_pe_devices_t found = {0};
    make();
    uint8_t *storage = fixture_aligned(devices.storage_bytes);
    for (uint32_t i = 0; i < 3u; ++i) {
        memset(storage, 0xA5, devices.storage_bytes);
        CHECK_EQ(set_up(storage, devices.storage_bytes, &found), WEFT_OK);
        CHECK_EQ(set_up(storage, devices.storage_bytes, &found), WEFT_OK);
        CHECK_EQ(weft_device_left(found.devices[1]), 0);
    }
    free(storage);
}

TEST(too_little_storage_is_refused)
{
    weft_pe_devices_t found = {0};
    make();
    uint8_t *storage = fixture_aligned(devices.storage_bytes + 8u);
    CHECK_EQ(set_up(storage, devices.storage_bytes - 1u, &found), WEFT_E_STORAGE);
    CHECK_EQ(set_up(storage, 0u, &found), WEFT_E_STORAGE);
    for (uint32_t shift = 1; shift < WEFT_DESCRIPTOR_ALIGNMENT; ++shift) {
        CHECK_EQ(set_up(storage + shift, devices.storage_bytes, &found), WEFT_E_STORAGE);
    }
    CHECK_EQ(set_up(storage, devices.storage_bytes + 8u, &found), WEFT_OK);
    free(storage);
}

TEST(null_arguments_are_refused)
{
    weft_pe_devices_t found = {0};
    make();
    uint8_t *storage = fixture_aligned(devices.storage_bytes);
    const uint32_t bytes = devices.storage_bytes;
    CHECK_EQ(weft_pe_devices_init(NULL, NULL, storage, bytes, DEADLINE, &found), WEFT_E_ARGUMENT);
    CHECK_EQ(set_up(NULL, bytes, &found), WEFT_E_ARGUMENT);
    CHECK_EQ(set_up(storage, bytes, NULL), WEFT_E_ARGUMENT);
    program.devices = NULL;
    CHECK_EQ(set_up(storage, bytes, &found), WEFT_E_ARGUMENT);
    free(storage);
}

TEST(what_a_device_says_is_passed_on)
{
    weft_pe_devices_t found = {0};
    make();
    uint8_t *storage = fixture_aligned(devices.storage_bytes);
    setups[1].options = odd; /* no array has 25 bits */
    CHECK_EQ(set_up(storage, devices.storage_bytes, &found), WEFT_E_ARGUMENT);
    CHECK_EQ(found.count, 0);
    make();
    setups[0].context_bytes = 0u;
    CHECK_EQ(set_up(storage, devices.storage_bytes, &found), WEFT_E_STORAGE);
    make();
    CHECK_EQ(weft_pe_devices_init(&program, NULL, storage, devices.storage_bytes, 0u, &found),
             WEFT_E_ARGUMENT);
    CHECK_EQ(set_up(storage, devices.storage_bytes, &found), WEFT_OK);
    free(storage);
}

TEST_MAIN(CASE(devices_have_room_for_their_jobs_in_the_storage), CASE(storage_may_hold_anything),
          CASE(too_little_storage_is_refused), CASE(null_arguments_are_refused),
          CASE(what_a_device_says_is_passed_on))
