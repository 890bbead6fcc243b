/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/clock.h"

#include "drivers/pit.h"
#include "lib/attended.h"
#include "lib/x86/cpu.h"
#include "paging/wait.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define US_PER_SECOND 1000000u
#define MS_PER_SECOND 1000u

#define CALIBRATION_TICKS 11932u /* of the PIT: 10 ms */
#define CALIBRATION_TRIES 3u

/* The slowest processor with PAE had 133 MHz and an emulator may be slower still. */
#define MIN_PLAUSIBLE_HZ UINT64_C(1000000)
#define MAX_PLAUSIBLE_HZ UINT64_C(20000000000)

#define CPUID_CRYSTAL 0x15u   /* EBX / EAX times ECX Hz (SDM vol. 3B, 18.7.3) */
#define CPUID_FREQUENCY 0x16u /* EAX: base frequency in MHz */
#define HZ_PER_MHZ 1000000u

/* Longer than loops that wait take for a turn, and short against what they wait for. */
#define LONGEST_GAP_MS 20u

#define FRACTION_BITS 16u /* of ticks_per_us */

static struct {
    uint64_t hz;
    uint64_t start;
    /* ns = ticks * ns_mult >> ns_shift, with as many significant bits as fit */
    uint32_t ns_mult;
    uint32_t ns_shift;
    uint64_t ticks_per_us; /* with FRACTION_BITS below the point */
    bool counts_instructions;
} tsc;

/*
 * Hz, or 0 if the PIT gave nothing plausible. The middle one of three: system management code may
 * hold the processor at either end of a try, and make it longer or shorter.
 */
static uint64_t measure_hz(void)
{
    uint64_t ticks[CALIBRATION_TRIES], middle;

    for (unsigned i = 0; i < CALIBRATION_TRIES; i++) {
        uint64_t start, end;

        if (pit_time_tsc(CALIBRATION_TICKS, &start, &end) < 0 || end <= start)
            return 0;
        ticks[i] = end - start;
    }

    middle = MAX(MIN(ticks[0], ticks[1]), MIN(MAX(ticks[0], ticks[1]), ticks[2]));

    uint64_t hz = middle * PIT_HZ / CALIBRATION_TICKS;

    return hz >= MIN_PLAUSIBLE_HZ && hz <= MAX_PLAUSIBLE_HZ ? hz : 0;
}

static uint64_t told_hz(void)
{
    uint32_t max_leaf = cpuid(0, 0).eax;

    if (max_leaf >= CPUID_CRYSTAL) {
        struct cpuid_regs ratio = cpuid(CPUID_CRYSTAL, 0);

        if (ratio.eax && ratio.ebx && ratio.ecx)
            return (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
    }
    if (max_leaf >= CPUID_FREQUENCY && cpuid(CPUID_FREQUENCY, 0).eax)
        return (uint64_t)cpuid(CPUID_FREQUENCY, 0).eax * HZ_PER_MHZ;
    return CLOCK_ASSUMED_HZ;
}

/*
 * RUN instructions between two reads of the TSC, besides the move that saves the first: nops, which
 * a processor retires several at a time, or multiplications that wait for each other, which take
 * some cycles each. Only what counts instructions finds both equal, and to the last one.
 */
#define RUN 64
#define OVERHEAD 2u /* the move and one of the two reads */
#define RUN_TEXT_(n) #n
#define RUN_TEXT(n) RUN_TEXT_(n)
#define TSC_OVER(instruction)                                         \
    ({                                                                \
        uint32_t first, last;                                         \
        __asm__ volatile("rdtsc\n"                                    \
                         "movl %%eax, %0\n"                           \
                         ".rept " RUN_TEXT(RUN) "\n" instruction "\n" \
                                                ".endr\n"             \
                                                "rdtsc"               \
                         : "=&S"(first), "=&a"(last)                  \
                         :                                            \
                         : "edx", "ecx", "cc");                       \
        last - first;                                                 \
    })

static bool find_whether_instructions_count(void)
{
    for (unsigned i = 0; i < 4; i++) {
        if (TSC_OVER("nop") != RUN + OVERHEAD || TSC_OVER("imull %%ecx, %%ecx") != RUN + OVERHEAD)
            return false;
    }
    return true;
}

bool clock_init(void)
{
    uint32_t flags = irq_save();
    uint64_t measured = measure_hz();

    tsc.counts_instructions = find_whether_instructions_count();
    irq_restore(flags);

    tsc.hz = measured ? measured : told_hz();
    tsc.ticks_per_us = (tsc.hz << FRACTION_BITS) / US_PER_SECOND;
    tsc.ns_shift = 32;
    while ((NS_PER_SECOND << tsc.ns_shift) / tsc.hz > UINT32_MAX)
        tsc.ns_shift--;
    tsc.ns_mult = (uint32_t)((NS_PER_SECOND << tsc.ns_shift) / tsc.hz);
    tsc.start = rdtsc();
    return measured != 0;
}

uint64_t clock_tsc_hz(void)
{
    return tsc.hz;
}

uint64_t clock_ns(void)
{
    uint64_t ticks = rdtsc() - tsc.start;
    uint64_t low = (uint64_t)(uint32_t)ticks * tsc.ns_mult;
    uint64_t high = (ticks >> 32) * tsc.ns_mult;

    return (low >> tsc.ns_shift) + (high << (32 - tsc.ns_shift));
}

void delay_us(uint32_t us)
{
    uint64_t start = rdtsc();
    uint64_t ticks = (us * tsc.ticks_per_us >> FRACTION_BITS) + 1;

    wait_begins();
    while (rdtsc() - start < ticks)
        cpu_relax();
    wait_ends();
}

bool clock_tsc_counts_instructions(void)
{
    return tsc.counts_instructions;
}

/* What loops that wait have seen of the TSC. Those of threads and of interrupts share it. */
static uint64_t attended_ticks(void)
{
    static struct attended attended;
    uint64_t longest = tsc.hz / MS_PER_SECOND * LONGEST_GAP_MS;
    uint32_t flags = irq_save();
    uint64_t sum = attended_look(&attended, rdtsc(), longest);

    irq_restore(flags);
    return sum;
}

deadline_t deadline_in_ms(uint32_t ms)
{
    return attended_ticks() + tsc.hz / MS_PER_SECOND * ms;
}

bool deadline_passed(deadline_t deadline)
{
    return attended_ticks() >= deadline;
}
