// SPDX-License-Identifier: BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ci/oracle/judge.h"
#include "ci/oracle/judge_text.h"

#define LINE_MAX_BYTES 256

/* Of `info tlb`, in its order: NX, global, PSE, dirty, accessed, PCD, PWT, user, writable. */
static const char tlb_letters[] = "XGPDACTUW";

void qemu_questions(const struct view *believed, struct words *commands)
{
    words_add(commands, "info registers");
    words_add(commands, "xp /8wx 0x%" PRIx64, believed->top.cr3);
    words_add(commands, "info tlb");
    words_add(commands, "info mem");
}

/* "00000000c0001000: 8000000000001000 X--DA---W": the address is the entry with its NX bit. */
static bool take_tlb(struct view *view, const char *line)
{
    uint64_t virt, entry;
    char letters[sizeof(tlb_letters)];
    int used = 0;

    if (sscanf(line, "%16" SCNx64 ": %16" SCNx64 " %9[-A-Z]%n", &virt, &entry, letters, &used) !=
            3 ||
        line[used] || strlen(letters) != strlen(tlb_letters))
        return false;
    for (size_t i = 0; tlb_letters[i]; i++)
        if (letters[i] != '-' && letters[i] != tlb_letters[i])
            return false;

    struct mapping page = {
        .virt = (uint32_t)virt,
        .bytes = letters[2] == 'P' ? VIEW_LARGE_BYTES : VIEW_PAGE_BYTES,
        .phys = entry & ~ENTRY_NX,
        .rights = (letters[8] == 'W' ? RIGHT_WRITE : 0) | (letters[0] == 'X' ? 0 : RIGHT_EXECUTE) |
                  (letters[7] == 'U' ? RIGHT_USER : 0) | (letters[1] == 'G' ? RIGHT_GLOBAL : 0) |
                  (letters[5] == 'C' ? RIGHT_PCD : 0) | (letters[6] == 'T' ? RIGHT_PWT : 0),
    };
    view_add(view, &page);
    return true;
}

/*
 * "00000000c0000000-00000000c009f000 000000000009f000 -rw": the rights through all levels. Writing,
 * if an upper level takes it away, is taken from the page.
 */
static void take_mem(struct view *view, const char *line)
{
    uint64_t start, end, size;
    char letters[4];
    int used = 0;

    if (sscanf(line, "%16" SCNx64 "-%16" SCNx64 " %16" SCNx64 " %3[-urw]%n", &start, &end, &size,
               letters, &used) != 4 ||
        line[used] || strlen(letters) != 3)
        return;
    for (uint64_t at = start; at < end;) {
        struct mapping *page = view_find(view, (uint32_t)at);

        if (page && letters[2] != 'w')
            page->rights &= ~(unsigned)RIGHT_WRITE;
        at += page ? page->bytes : VIEW_PAGE_BYTES;
    }
}

static void take_register(struct view *view, const char *line)
{
    const char *found;
    uint64_t value;

    if ((found = strstr(line, "CR3=")) && sscanf(found, "CR3=%" SCNx64, &value) == 1) {
        view->top.cr3 = value;
        view->top.told = true;
    }
    if ((found = strstr(line, "CR4=")) && sscanf(found, "CR4=%" SCNx64, &value) == 1) {
        view->top.pae = value & CR4_PAE_BIT;
        view->top.pge = value & CR4_PGE_BIT;
    }
    if (sscanf(line, "EFER=%" SCNx64, &value) == 1)
        view->top.nxe = value & EFER_NXE_BIT;
}

void qemu_view(struct view *seen, const char *answers)
{
    char line[LINE_MAX_BYTES];
    const char *rest = answers;

    /* The PAT bit of a 4 KiB entry is left out by `info tlb`. */
    seen->rights_told = RIGHTS_ALL & ~(unsigned)RIGHT_PAT;
    while (next_line(&rest, line, sizeof(line))) {
        const char *words = strstr(line, ": 0x");

        if (words && words - line == 16)
            take_pdpte_words(seen, words + 1);
        else if (!take_tlb(seen, line))
            take_register(seen, line);
    }
    /*
     * QEMU sets an accessed bit in these, where the processor has none: the bit is reserved (SDM
     * vol. 3A, table 4-8).
     */
    for (unsigned i = 0; i < seen->top.pdptes; i++)
        seen->top.pdpte[i] &= ~ENTRY_ACCESSED;
    view_sort(seen);
    for (rest = answers; next_line(&rest, line, sizeof(line));)
        take_mem(seen, line);
}
