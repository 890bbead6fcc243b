/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_ORACLE_JUDGE_TEXT_H
#define CI_ORACLE_JUDGE_TEXT_H

/* What reading the two judges' answers has in common. */

#include "ci/oracle/view.h"

/* Bits of page-table entries, SDM vol. 3A, 4.4. */
#define ENTRY_PRESENT UINT64_C(1)
#define ENTRY_WRITE (UINT64_C(1) << 1)
#define ENTRY_USER (UINT64_C(1) << 2)
#define ENTRY_PWT (UINT64_C(1) << 3)
#define ENTRY_PCD (UINT64_C(1) << 4)
#define ENTRY_ACCESSED (UINT64_C(1) << 5)
#define ENTRY_LARGE (UINT64_C(1) << 7) /* in a directory entry */
#define ENTRY_PAT (UINT64_C(1) << 7)   /* in a table entry */
#define ENTRY_GLOBAL (UINT64_C(1) << 8)
#define ENTRY_LARGE_PAT (UINT64_C(1) << 12) /* in a directory entry of a large page */
#define ENTRY_NX (UINT64_C(1) << 63)

#define CR4_PAE_BIT (1u << 5)
#define CR4_PGE_BIT (1u << 7)
#define EFER_NXE_BIT (1u << 11)

/*
 * Copies the next line of *text to `line`, without its end, cut to the room there is, and leaves
 * *text behind it. Returns false at the end.
 */
bool next_line(const char **text, char *line, size_t room);

/* Takes the words of a line of `xp /8wx`, behind its colon, as halves of PDPTEs. */
void take_pdpte_words(struct view *view, const char *words);

#endif
