// SPDX-License-Identifier: BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ci/oracle/judge.h"
#include "ci/oracle/judge_text.h"

#define LINE_MAX_BYTES 256
#define ENTRY_PHYS_MASK UINT64_C(0x000ffffffffff000)

/* What `page` told, until its last line. */
struct page_answer {
    bool asked;
    uint32_t virt;
    uint64_t directory, table;
    bool has_table;
};

void bochs_questions(const struct view *believed, struct words *commands)
{
    words_add(commands, "creg");
    words_add(commands, "xp /8wx 0x%" PRIx64, believed->top.cr3);
    words_add(commands, "info tab");
    for (size_t i = 0; i < believed->count; i++)
        words_add(commands, "page 0x%08" PRIx32, believed->at[i].virt);
}

static void take_register(struct view *view, const char *line)
{
    uint64_t value;

    if (sscanf(line, "CR3=0x%" SCNx64, &value) == 1) {
        view->top.cr3 = value;
        view->top.told = true;
    } else if (sscanf(line, "CR4=0x%" SCNx64, &value) == 1) {
        view->top.pae = value & CR4_PAE_BIT;
        view->top.pge = value & CR4_PGE_BIT;
    } else if (sscanf(line, "EFER=0x%" SCNx64, &value) == 1) {
        view->top.nxe = value & EFER_NXE_BIT;
    }
}

/*
 * Write is what both levels grant, NX is what one of them says (SDM vol. 3A, 4.6). No entry of ours
 * is a user's, at any level, and one that is shows.
 */
static unsigned rights_of(const struct page_answer *answer)
{
    uint64_t leaf = answer->has_table ? answer->table : answer->directory;
    uint64_t both = answer->has_table ? answer->directory & answer->table : leaf;
    uint64_t either = answer->directory | leaf;
    uint64_t pat = answer->has_table ? ENTRY_PAT : ENTRY_LARGE_PAT;

    return ((both & ENTRY_WRITE) ? RIGHT_WRITE : 0) | ((either & ENTRY_NX) ? 0 : RIGHT_EXECUTE) |
           ((either & ENTRY_USER) ? RIGHT_USER : 0) | ((leaf & ENTRY_GLOBAL) ? RIGHT_GLOBAL : 0) |
           ((either & ENTRY_PCD) ? RIGHT_PCD : 0) | ((either & ENTRY_PWT) ? RIGHT_PWT : 0) |
           ((leaf & pat) ? RIGHT_PAT : 0);
}

/*
 *     page 0xc0001000
 *      PDE: 0x000000000ffea023    ps         A pcd pwt S W P
 *      PTE: 0x8000000000001003 XD    g pat d a pcd pwt S W P
 *     linear page 0x00000000c0001000 maps to physical page 0x000000001000
 *
 * The last line, and the page with it, comes only when the page is mapped.
 */
static void take_page(struct page_answer *answer, struct view *pages, const char *line)
{
    uint64_t virt, phys, entry;

    if (sscanf(line, "page 0x%" SCNx64, &virt) == 1) {
        *answer = (struct page_answer){.asked = true, .virt = (uint32_t)virt};
    } else if (sscanf(line, " PDE: 0x%" SCNx64, &entry) == 1) {
        answer->directory = entry;
    } else if (sscanf(line, " PTE: 0x%" SCNx64, &entry) == 1) {
        answer->table = entry;
        answer->has_table = true;
    } else if (answer->asked &&
               sscanf(line, "linear page 0x%" SCNx64 " maps to physical page 0x%" SCNx64, &virt,
                      &phys) == 2 &&
               virt == answer->virt) {
        struct mapping page = {.virt = answer->virt,
                               .bytes = answer->has_table ? VIEW_PAGE_BYTES : VIEW_LARGE_BYTES,
                               .phys = phys,
                               .rights = rights_of(answer)};

        view_add(pages, &page);
        answer->asked = false;
    }
}

/*
 * "0x00000000c0000000-0x00000000c009efff -> 0x000000000000-0x00000009efff": every page that is
 * mapped. What `page` told of it is taken where it says the same place; else the place alone.
 */
static void take_tab(struct view *seen, const struct view *pages, const char *line)
{
    uint64_t start, end, phys, last;

    if (sscanf(line, "0x%" SCNx64 "-0x%" SCNx64 " -> 0x%" SCNx64 "-0x%" SCNx64, &start, &end, &phys,
               &last) != 4 ||
        end >> 32)
        return;
    for (uint64_t at = start; at < end;) {
        const struct mapping *told = view_find(pages, (uint32_t)at);
        struct mapping page = {.virt = (uint32_t)at,
                               .bytes = VIEW_PAGE_BYTES,
                               .phys = phys + (at - start),
                               .place_only = true};

        if (told && told->virt == at && told->phys == page.phys && at + told->bytes <= end + 1)
            page = *told;
        view_add(seen, &page);
        at += page.bytes;
    }
}

void bochs_view(struct view *seen, const char *answers)
{
    struct page_answer answer = {0};
    struct view pages = {0};
    char line[LINE_MAX_BYTES];
    const char *rest = answers;

    seen->rights_told = RIGHTS_ALL;
    while (next_line(&rest, line, sizeof(line))) {
        const char *words = strstr(line, ">:\t0x");

        if (words)
            take_pdpte_words(seen, words + 2);
        take_register(seen, line);
        take_page(&answer, &pages, line);
    }
    view_sort(&pages);
    for (rest = answers; next_line(&rest, line, sizeof(line));)
        take_tab(seen, &pages, line);
    view_free(&pages);
}
