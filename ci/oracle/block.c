// SPDX-License-Identifier: BSD-2-Clause
#include "ci/oracle/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINT_MAX 64

static bool parse_rights(const char *letters, unsigned *rights)
{
    static const char all[] = RIGHTS_LETTERS;

    *rights = 0;
    if (strlen(letters) != strlen(all))
        return false;
    for (size_t i = 0; all[i]; i++) {
        if (letters[i] == all[i])
            *rights |= 1u << i;
        else if (letters[i] != '-')
            return false;
    }
    return true;
}

static bool take_map(struct block *block, const char *line)
{
    struct mapping page = {0};
    char phys[32], size[8], letters[16];
    uint32_t pages;
    int used = 0;

    if (sscanf(line, "map %" SCNx32 " %31s %" SCNx32 " %7s %15s %15s%n", &page.virt, phys, &pages,
               size, letters, page.what, &used) != 6 ||
        line[used] || !parse_rights(letters, &page.rights))
        return false;
    page.any_phys = !strcmp(phys, "?");
    if (!page.any_phys) {
        if (sscanf(phys, "%" SCNx64 "%n", &page.phys, &used) != 1 || phys[used])
            return false;
    }
    page.bytes = !strcmp(size, "2M") ? VIEW_LARGE_BYTES : VIEW_PAGE_BYTES;
    if ((strcmp(size, "4K") && strcmp(size, "2M")) || !pages || page.virt % page.bytes ||
        pages > (UINT64_C(1) << 32) / page.bytes)
        return false;
    for (; pages; pages--) {
        view_add(&block->believed, &page);
        page.virt += page.bytes;
        page.phys += page.bytes;
    }
    return true;
}

static bool take_list(struct block *block, const char *line)
{
    struct mapping page = {.bytes = VIEW_PAGE_BYTES};
    char letters[16];
    uint32_t step;
    uint64_t frame;
    int used = 0;

    if (sscanf(line, "list %" SCNx32 " %" SCNx32 " %15s %15s%n", &page.virt, &step, letters,
               page.what, &used) != 4 ||
        !used || !step || page.virt % VIEW_PAGE_BYTES || !parse_rights(letters, &page.rights))
        return false;
    for (line += used; *line; line += used) {
        used = 0;
        if (sscanf(line, " %" SCNx64 "%n", &frame, &used) != 1 || !used)
            return false;
        page.phys = frame * VIEW_PAGE_BYTES;
        view_add(&block->believed, &page);
        page.virt += step * VIEW_PAGE_BYTES;
    }
    return true;
}

static bool take_top(struct block *block, const char *line)
{
    struct view *view = &block->believed;
    unsigned pae, pge, nxe;
    int used = 0;

    if (sscanf(line,
               "top cr3 %" SCNx64 " pdpte %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
               " pae %u pge %u nxe %u%n",
               &view->top.cr3, &view->top.pdpte[0], &view->top.pdpte[1], &view->top.pdpte[2],
               &view->top.pdpte[3], &pae, &pge, &nxe, &used) != 8 ||
        line[used])
        return false;
    view->top.pae = pae;
    view->top.pge = pge;
    view->top.nxe = nxe;
    view->top.pdptes = VIEW_PDPTES;
    view->top.told = true;
    return true;
}

/* "NAME begin", "NAME end lines=N"; lines is -1 with begin. */
static bool parse_border(const char *line, char *name, long *lines)
{
    int used = 0;

    *lines = -1;
    if (sscanf(line, "%63s begin%n", name, &used) == 1 && used && !line[used])
        return true;
    used = 0;
    return sscanf(line, "%63s end lines=%ld%n", name, lines, &used) == 2 && used && !line[used] &&
           *lines >= 0;
}

static void end_block(struct block *block, const char *name, long lines)
{
    if (block->problem)
        return;
    if (strcmp(block->point, name))
        block->problem = text("ends as %s", name);
    else if ((unsigned long)lines != block->lines)
        block->problem = text("%lu lines arrived of %ld", block->lines, lines);
    block->whole = !block->problem;
}

bool block_take(struct block *block, const char *line, bool *again)
{
    char name[POINT_MAX];
    long lines;

    *again = false;
    if (strncmp(line, BLOCK_LINE_START, strlen(BLOCK_LINE_START)) != 0)
        return false;
    line += strlen(BLOCK_LINE_START);
    if (parse_border(line, name, &lines)) {
        if (block->point && lines < 0) {
            *again = true;
            if (!block->problem)
                block->problem = text("cut short by the begin of %s", name);
            return true;
        }
        if (!block->point) {
            block->point = text_copy(name);
            block->believed.rights_told = RIGHTS_ALL;
            if (lines >= 0)
                block->problem = text_copy("ends without a begin");
            return lines >= 0;
        }
        end_block(block, name, lines);
        return true;
    }
    if (!block->point)
        return false;
    block->lines++;
    if (!take_map(block, line) && !take_list(block, line) && !take_top(block, line) &&
        !block->problem)
        block->problem = text("a line that nobody understands: %s", line);
    return false;
}

void block_free(struct block *block)
{
    free(block->point);
    free(block->problem);
    view_free(&block->believed);
    *block = (struct block){0};
}
