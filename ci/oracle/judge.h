/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_ORACLE_JUDGE_H
#define CI_ORACLE_JUDGE_H

/*
 * What an emulator says of the page tables, asked while it stands still. Both judges take commands
 * as lines and answer in text:
 *
 *     QEMU 7.2's monitor
 *         info registers      CR3, CR4, EFER
 *         xp /8wx CR3         the four page-directory-pointer entries
 *         info tlb            a line a page, of either size, with the rights of its own entry
 *         info mem            stretches of pages with their rights through all levels
 *     Bochs 2.7's debugger
 *         creg, xp /8wx CR3   as above
 *         info tab            stretches of pages and where they show, no more
 *         page ADDRESS        the entries at both levels; so it is asked for each page believed
 */

#include "ci/oracle/view.h"
#include "ci/runner/words.h"

/* The commands to give for a view to hold against `believed`. */
void qemu_questions(const struct view *believed, struct words *commands);
void bochs_questions(const struct view *believed, struct words *commands);

/*
 * Fills `seen`, zeroed, from all that was answered: `answers` is the text of the commands' output
 * in their order. For Bochs it holds the commands too, each before its output, as -dbglog writes
 * them.
 */
void qemu_view(struct view *seen, const char *answers);
void bochs_view(struct view *seen, const char *answers);

#endif
