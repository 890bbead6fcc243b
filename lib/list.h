/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_LIST_H
#define LIB_LIST_H

/*
 * A doubly linked ring inside of the structures that it links: each has a struct list_head as a
 * member, and one more is the list's own head. Adding and taking out cost the same everywhere.
 *
 *     struct timer { unsigned due; struct list_head link; };
 *     struct timer *t;
 *     list_for_each_entry (t, &timers, link)
 *         ... t->due ...
 *
 * There are pointers in it, so that it may not be used before paging. The caller locks.
 */

#include "lib/types.h"

struct list_head {
    struct list_head *next, *prev;
};

/* A list that is empty from the start: static struct list_head timers = LIST_HEAD_INIT(timers); */
#define LIST_HEAD_INIT(name) \
    {                        \
        &(name), &(name)     \
    }

static inline void list_init(struct list_head *head)
{
    head->next = head;
    head->prev = head;
}

/* Puts `entry` between `before` and the one that follows it. */
static inline void list_add(struct list_head *entry, struct list_head *before)
{
    entry->prev = before;
    entry->next = before->next;
    before->next->prev = entry;
    before->next = entry;
}

/* Puts `entry` at the end of the list, or before the entry `head`. */
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
    list_add(entry, head->prev);
}

/* Takes `entry` out of its list; it is then a ring of its own, and may be taken out again. */
static inline void list_del(struct list_head *entry)
{
    entry->prev->next = entry->next;
    entry->next->prev = entry->prev;
    list_init(entry);
}

static inline bool list_empty(const struct list_head *head)
{
    return head->next == head;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

/* First and last structure of a list that is not empty. */
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)

/* All structures of a list, from its start; `pos` points to one. The list must not change
 * meanwhile. */
#define list_for_each_entry(pos, head, member)                                                   \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head); \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

/* The same where `pos` itself may be taken out, or freed; `ahead` is a second pointer of its type.
 */
#define list_for_each_entry_safe(pos, ahead, head, member)                    \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member),        \
        (ahead) = list_entry((pos)->member.next, __typeof__(*(pos)), member); \
         &(pos)->member != (head);                                            \
         (pos) = (ahead), (ahead) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

#endif
