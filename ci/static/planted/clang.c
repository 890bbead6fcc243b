/* SPDX-License-Identifier: BSD-2-Clause */
/* A condition that never holds, of which gcc says nothing with our flags. */
#include "lib/types.h"

bool is_large(uint8_t value);

bool is_large(uint8_t value)
{
    return value > 0x100;
}
