/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_ORACLE_BLOCK_H
#define CI_ORACLE_BLOCK_H

/* What the payload says at a marked point; its lines are described in payload/oracle.h. */

#include "ci/oracle/view.h"

#define BLOCK_LINE_START "# oracle "

struct block {
    char *point; /* NULL: none has begun */
    struct view believed;
    unsigned long lines; /* between begin and end */
    bool whole;          /* its end was seen, and all its lines */
    char *problem;       /* what is wrong with it, or NULL */
};

/*
 * Takes one line of the report; what is no line of a block is passed over. Returns true when the
 * line ended the block, well or with a problem: then it is to be used, and freed. A `begin` within
 * a block is such an end as well: *again is then set, and the line must be given to the next block.
 */
bool block_take(struct block *block, const char *line, bool *again);

void block_free(struct block *block);

#endif
