/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pit.h"

#include "lib/errno.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define PIT_CHANNEL0 0x40
#define PIT_CHANNEL2 0x42
#define PIT_CONTROL 0x43

/* Control word (8254 data sheet, figure 7) */
#define PIT_SELECT_CHANNEL0 0x00u
#define PIT_SELECT_CHANNEL2 0x80u
#define PIT_LOW_THEN_HIGH 0x30u
#define PIT_MODE_ONE_SHOT 0x00u       /* 0: interrupt on terminal count */
#define PIT_MODE_RATE_GENERATOR 0x04u /* 2 */

#define PIT_MAX_DIVISOR 65536u /* written as 0 */

/* Port B of the PC's 8255, and what chipsets have in its place */
#define PORT_B 0x61
#define PORT_B_GATE2 BIT(0)
#define PORT_B_SPEAKER BIT(1)
#define PORT_B_OUT2 BIT(5)
#define PORT_B_WRITABLE 0x0fu /* the upper half is read-only and must be written as zeros */

/*
 * The longest count takes 55 ms. A read of port 0x61 takes a microsecond on the ISA bus and 50 ns
 * in a quick emulator: so many reads are more than that. Where time is counted in instructions a
 * read takes no more than a few ns, so the TSC must have gone far too, more than 55 ms at up to 9
 * GHz.
 */
#define PIT_MIN_POLLS 2000000u
#define PIT_MIN_TSC (UINT64_C(1) << 29)

void pit_start(unsigned hz)
{
    hz = MIN(MAX(hz, PIT_MIN_HZ), PIT_HZ / 2);

    uint32_t divisor = MIN((PIT_HZ + hz / 2) / hz, PIT_MAX_DIVISOR);

    outb(PIT_CONTROL, PIT_SELECT_CHANNEL0 | PIT_LOW_THEN_HIGH | PIT_MODE_RATE_GENERATOR);
    outb(PIT_CHANNEL0, (uint8_t)divisor);
    outb(PIT_CHANNEL0, (uint8_t)(divisor >> 8));
}

void pit_stop(void)
{
    /* The output goes low with the control word, and waits there for a count that never comes. */
    /* NOLINTNEXTLINE(misc-redundant-expression): two of the fields are 0 */
    outb(PIT_CONTROL, PIT_SELECT_CHANNEL0 | PIT_LOW_THEN_HIGH | PIT_MODE_ONE_SHOT);
}

int pit_time_tsc(unsigned ticks, uint64_t *start, uint64_t *end)
{
    uint8_t port_b = inb(PORT_B) & PORT_B_WRITABLE;
    uint32_t polls = 0;
    bool up;

    outb(PORT_B, (uint8_t)((port_b & ~PORT_B_SPEAKER) | PORT_B_GATE2));
    outb(PIT_CONTROL, PIT_SELECT_CHANNEL2 | PIT_LOW_THEN_HIGH | PIT_MODE_ONE_SHOT);
    outb(PIT_CHANNEL2, (uint8_t)ticks);
    outb(PIT_CHANNEL2, (uint8_t)(ticks >> 8)); /* counting begins */
    *start = rdtsc();
    do {
        up = inb(PORT_B) & PORT_B_OUT2;
        *end = rdtsc();
    } while (!up && (polls++ < PIT_MIN_POLLS || *end - *start < PIT_MIN_TSC));
    outb(PORT_B, port_b);

    /* An output that is up at once, though a count takes many reads, is stuck. */
    return up && polls > 0 ? 0 : -ETIMEDOUT;
}
