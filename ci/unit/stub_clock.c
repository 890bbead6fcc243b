/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/unit/stub_clock.h"
#include "drivers/clock.h"

uint64_t now_us;

deadline_t deadline_in_ms(uint32_t ms)
{
    return now_us + ms * UINT64_C(1000);
}

bool deadline_passed(deadline_t deadline)
{
    return now_us >= deadline;
}

void delay_us(uint32_t us)
{
    now_us += us;
}
