/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_UNIT_STUB_CLOCK_H
#define CI_UNIT_STUB_CLOCK_H

/* The clock of drivers/clock.h in a test: it stands still but for delay_us() and the test itself.
 */

#include "lib/types.h"

extern uint64_t now_us;

#endif
