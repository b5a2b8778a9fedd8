/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/pe.h"
#include "weft/status.h"
#include "weft_test.h"

static weft_status_t through_macro(weft_status_t status, int *out_reached)
{
    *out_reached = 0;
    WEFT_RETURN_IF_ERROR(status);
    *out_reached = 1;
    return WEFT_OK;
}

TEST(values_are_those_of_the_file_formats)
{
    CHECK_EQ(WEFT_OK, 0);
    CHECK_EQ(WEFT_IDLE, 1);
    CHECK_EQ(WEFT_NO_CREDIT, 2);
    CHECK_EQ(WEFT_NO_FRAME, 3);
    CHECK_EQ(WEFT_E_ARGUMENT, 4);
    CHECK_EQ(WEFT_E_VERSION, 5);
    CHECK_EQ(WEFT_E_TABLES, 6);
    CHECK_EQ(WEFT_E_STORAGE, 7);
    CHECK_EQ(WEFT_E_SEQUENCE, 8);
    CHECK_EQ(WEFT_E_STOPPED, 9);
    CHECK_EQ(WEFT_PENDING, 10);
    CHECK_EQ(WEFT_E_DEVICE, 11);
    CHECK_EQ(WEFT_E_DEADLINE, 12);
    CHECK_EQ(WEFT_E_CANCELLED, 13);
}

TEST(errors_are_told_from_what_is_none)
{
    static const weft_status_t none[] = {WEFT_OK, WEFT_IDLE, WEFT_NO_CREDIT, WEFT_NO_FRAME,
                                         WEFT_PENDING};
    for (int i = WEFT_OK; i <= WEFT_E_CANCELLED; ++i) {
        bool is_error = true;
        for (size_t k = 0; k < sizeof none / sizeof none[0]; ++k) {
            if (none[k] == (weft_status_t)i) is_error = false;
        }
        NOTE("status %d", i);
        CHECK_EQ(weft_status_is_error((weft_status_t)i), is_error);
    }
}

TEST(every_status_has_a_name_of_its_own)
{
    for (int i = WEFT_OK; i <= WEFT_E_CANCELLED; ++i) {
        NOTE("status %d", i);
        const char *name = weft_status_string((weft_status_t)i);
        CHECK(name != NULL && strlen(name) > 0u);
        CHECK(strcmp(name, "unknown status") != 0);
        for (int j = WEFT_OK; j < i; ++j) {
            CHECK(strcmp(name, weft_status_string((weft_status_t)j)) != 0);
        }
    }
}

TEST(unknown_values_are_named_so)
{
    const int unknown[] = {-1, 14, 100, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; ++i) {
        CHECK(strcmp(weft_status_string((weft_status_t)unknown[i]), "unknown status") == 0);
    }
}

TEST(the_macro_leaves_with_anything_but_ok)
{
    int reached = 0;
    CHECK_EQ(through_macro(WEFT_OK, &reached), WEFT_OK);
    CHECK(reached);
    for (int i = WEFT_IDLE; i <= WEFT_E_CANCELLED; ++i) {
        CHECK_EQ(through_macro((weft_status_t)i, &reached), i);
        CHECK(!reached);
    }
}

TEST(the_runtime_reports_the_hash_of_its_build)
{
    CHECK(strcmp(weft_runtime_hash(), WEFT_RUNTIME_HASH) == 0);
}

TEST_MAIN(CASE(values_are_those_of_the_file_formats), CASE(every_status_has_a_name_of_its_own),
          CASE(errors_are_told_from_what_is_none), CASE(unknown_values_are_named_so),
          CASE(the_macro_leaves_with_anything_but_ok),
          CASE(the_runtime_reports_the_hash_of_its_build))
