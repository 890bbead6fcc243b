/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/handoff.h"
#include "loader/memory.h"

/* From handoff-x64.S or handoff-ia32.S: position-independent, entered at its first byte. */
extern const char handoff_code[];

typedef void handoff_entry(uint32_t entry, uint32_t mbi, uint32_t flags);

void handoff(void *memory, uint32_t entry, uint32_t mbi, uint32_t flags)
{
    handoff_entry *copy = (handoff_entry *)(uintptr_t)memory;

    memcpy(memory, handoff_code, HANDOFF_CODE_BYTES);
    copy(entry, mbi, flags);
    __builtin_unreachable();
}
