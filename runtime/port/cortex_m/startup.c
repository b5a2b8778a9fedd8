/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to weft_image_main, and from any exception to weft_fault_record.
 *
 * No interrupt is enabled: the PE polls its counters and sleeps in between. A port that needs
 * interrupts brings a vector table of its own. */
#include <stdbool.h>
#include <stddef.h>

#include "image.h"

/* Set by the linker script; only their addresses mean something. */
extern uint32_t weft_ld_stack_guard[], weft_ld_stack_limit[], weft_ld_stack_top[];
extern const uint32_t weft_ld_data_load[];
extern uint32_t weft_ld_data_start[], weft_ld_data_end[];
extern uint32_t weft_ld_arena_start[], weft_ld_arena_end[];
extern uint32_t weft_ld_bss_start[], weft_ld_bss_end[];

/* System control block, ARMv7-M Architecture Reference Manual B3.2. */
#define SCB_VTOR 0xE000ED08u
#define SCB_SHCSR 0xE000ED24u
#define SCB_CFSR 0xE000ED28u
#define SCB_HFSR 0xE000ED2Cu
#define SCB_MMFAR 0xE000ED34u
#define SCB_BFAR 0xE000ED38u
#define SCB_CPACR 0xE000ED88u

/* Memory protection unit, B3.5. */
#define MPU_TYPE 0xE000ED90u
#define MPU_CTRL 0xE000ED94u
#define MPU_RNR 0xE000ED98u
#define MPU_RBAR 0xE000ED9Cu
#define MPU_RASR 0xE000EDA0u

#define SHCSR_FAULTS_ENABLED (7u << 16) /* memory, bus and usage faults by their own names */
#define CPACR_FPU_ENABLED (0xFu << 20)
#define CFSR_MSTKERR (1u << 4) /* an exception found no stack to push to */
#define CFSR_MMFAR_VALID (1u << 7)
#define CFSR_BFAR_VALID (1u << 15)
#define CFSR_UNDEFINED (1u << 16)
#define MPU_TYPE_REGIONS (0xFFu << 8)
#define MPU_CTRL_ENABLED (1u << 2 | 1u) /* all other memory as it is by default */
/* Normal memory, read-only, no code; 2^(4 + 1) bytes. */
#define MPU_RASR_GUARD (1u << 28 | 6u << 24 | 1u << 18 | 1u << 17 | 4u << 1 | 1u)

/* The hardware's exception frame: indices of its words, its size. */
#define FRAME_LR 5u
#define FRAME_PC 6u
#define FRAME_BYTES 32u

#define STACK_GUARD 0x57465447u

volatile weft_fault_record_t weft_fault_record;

/* Not in the file that reads it: the compiler must not know what a loader may replace. */
const uint32_t weft_image_epoch = 0u;

void weft_image_reset(void);
void weft_image_start(void);
void weft_image_exception(void);
void weft_image_fault(const uint32_t *stack_pointer);

typedef void (*vector_t)(void);

/* The first word is the stack pointer, the second the entry; then exceptions 2 to 15. */
static const struct {
    const uint32_t *stack_top;
    vector_t reset;
    vector_t exceptions[14];
} vectors __attribute__((section(".weft.vectors"), used)) = {
    weft_ld_stack_top,
    weft_image_reset,
    {weft_image_exception, weft_image_exception, weft_image_exception, weft_image_exception,
     weft_image_exception, weft_image_exception, weft_image_exception, weft_image_exception,
     weft_image_exception, weft_image_exception, weft_image_exception, weft_image_exception,
     weft_image_exception, weft_image_exception}};

static volatile uint32_t *reg(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

/* Addresses and not pointers: to C, two symbols are two objects, which have no distance. */
static size_t words_between(const uint32_t *start, const uint32_t *end)
{
    return ((uintptr_t)end - (uintptr_t)start) / sizeof(uint32_t);
}

static void clear(uint32_t *start, const uint32_t *end)
{
    const size_t words = words_between(start, end);
    for (size_t i = 0; i < words; ++i) start[i] = 0u;
}

/* Where there is a memory protection unit, it refuses what overflows the stack, at once. Without,
 * the words below the stack tell later: see weft_image_overwritten. An image that is started anew
 * by a jump finds the unit as the last one left it. */
static void guard_stack(void)
{
    const bool is_protected = (*reg(MPU_TYPE) & MPU_TYPE_REGIONS) != 0u;
    if (is_protected) {
        *reg(MPU_CTRL) = 0u;
        __asm volatile("dsb\n\tisb" ::: "memory");
    }
    const size_t words = words_between(weft_ld_stack_guard, weft_ld_stack_limit);
    for (size_t i = 0; i < words; ++i) weft_ld_stack_guard[i] = STACK_GUARD;
    if (is_protected) {
        *reg(MPU_RNR) = 0u;
        *reg(MPU_RBAR) = (uint32_t)(uintptr_t)weft_ld_stack_guard;
        *reg(MPU_RASR) = MPU_RASR_GUARD;
        *reg(MPU_CTRL) = MPU_CTRL_ENABLED;
        __asm volatile("dsb\n\tisb" ::: "memory");
    }
}

const volatile uint32_t *weft_image_overwritten(void)
{
    const volatile uint32_t *word = weft_ld_stack_limit;
    for (size_t i = words_between(weft_ld_stack_guard, weft_ld_stack_limit); i > 0u; --i) {
        if (*--word != STACK_GUARD) return word;
    }
    return NULL;
}

/* Sets the stack pointer itself: a supervisor may start an image by a jump, without a reset. */
__attribute__((naked)) void weft_image_reset(void)
{
    __asm volatile("movw r0, #:lower16:weft_ld_stack_top\n"
                   "movt r0, #:upper16:weft_ld_stack_top\n"
                   "mov sp, r0\n"
                   "b weft_image_start\n");
}

/* The FPU comes first: any function may use it. */
__attribute__((used)) void weft_image_start(void)
{
    *reg(SCB_CPACR) |= CPACR_FPU_ENABLED;
    *reg(SCB_SHCSR) |= SHCSR_FAULTS_ENABLED;
    *reg(SCB_VTOR) = (uint32_t)(uintptr_t)&vectors;
    __asm volatile("dsb\n\tisb" ::: "memory");

    /* Where the initial values already lie in place, this copies them onto themselves. */
    const size_t data_words = words_between(weft_ld_data_start, weft_ld_data_end);
    for (size_t i = 0; i < data_words; ++i) weft_ld_data_start[i] = weft_ld_data_load[i];
    clear(weft_ld_arena_start, weft_ld_arena_end);
    clear(weft_ld_bss_start, weft_ld_bss_end);
    guard_stack();
    weft_image_main();
}

/* Hands over the stack pointer of the exception, and takes a good one if that was not, or if it
 * leaves less than 64 bytes for the handler: after an overflow some may be left, but not enough. */
__attribute__((naked)) void weft_image_exception(void)
{
    __asm volatile("mov r0, sp\n"
                   "movw r1, #:lower16:weft_ld_stack_limit\n"
                   "movt r1, #:upper16:weft_ld_stack_limit\n"
                   "add r1, r1, #64\n"
                   "movw r2, #:lower16:weft_ld_stack_top\n"
                   "movt r2, #:upper16:weft_ld_stack_top\n"
                   "cmp sp, r1\n"
                   "it lo\n"
                   "movlo sp, r2\n"
                   "cmp sp, r2\n"
                   "it hi\n"
                   "movhi sp, r2\n"
                   "b weft_image_fault\n");
}

/* What an exception stands for: an overflow of the stack and a failed assertion have no exception
 * of their own. */
static uint32_t kind_of(uint32_t exception, uint32_t cfsr, uint32_t address, uint32_t pc)
{
    if (exception == (uint32_t)WEFT_FAULT_MEMORY) {
        const bool is_guard = address >= (uint32_t)(uintptr_t)weft_ld_stack_guard &&
                              address < (uint32_t)(uintptr_t)weft_ld_stack_limit;
        if (is_guard || (cfsr & CFSR_MSTKERR) != 0u) return (uint32_t)WEFT_FAULT_STACK;
    }
    if (exception == (uint32_t)WEFT_FAULT_USAGE && (cfsr & CFSR_UNDEFINED) != 0u && pc != 0u) {
        const uint32_t instruction = *(const volatile uint16_t *)(uintptr_t)pc;
        if (instruction == WEFT_ASSERTION_FAILED) return (uint32_t)WEFT_FAULT_ASSERTION;
    }
    return exception;
}

__attribute__((used)) void weft_image_fault(const uint32_t *stack_pointer)
{
    uint32_t exception;
    __asm volatile("mrs %0, ipsr" : "=r"(exception));
    const uint32_t cfsr = *reg(SCB_CFSR);
    volatile weft_fault_record_t *record = &weft_fault_record;
    const uintptr_t frame = (uintptr_t)stack_pointer;
    uint32_t pc = 0u, address = 0u;
    if (frame >= (uintptr_t)weft_ld_stack_limit &&
        frame <= (uintptr_t)weft_ld_stack_top - FRAME_BYTES) {
        pc = stack_pointer[FRAME_PC];
        record->lr = stack_pointer[FRAME_LR];
    }
    if ((cfsr & CFSR_BFAR_VALID) != 0u) address = *reg(SCB_BFAR);
    if ((cfsr & CFSR_MMFAR_VALID) != 0u) address = *reg(SCB_MMFAR);
    record->pc = pc;
    record->cfsr = cfsr;
    record->hfsr = *reg(SCB_HFSR);
    record->address = address;
    const uint32_t kind = kind_of(exception, cfsr, address, pc);
    __asm volatile("dmb" ::: "memory");
    record->kind = kind;
    weft_image_stop();
}

void weft_image_stop(void)
{
    for (;;) __asm volatile("wfe");
}
