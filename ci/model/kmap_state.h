/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_KMAP_STATE_H
#define CI_MODEL_KMAP_STATE_H

/* What the model of kmap() and kmap_local_page() says, for the files that it is made of. */

#include <ucontext.h>

#include "ci/model/broke.h"
#include "ci/model/kmap_model.h"
#include "ci/model/model.h"
#include "ci/model/processor.h"
#include "lib/list.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/wait.h"

#define SOME_PFN 0x00abcde1u /* of a frame without a descriptor, above 4 GiB */

enum state {
    STATE_IDLE,
    STATE_ASLEEP,
    STATE_WOKEN,  /* a window is kept for it */
    STATE_STOPPED /* in the middle of an operation */
};

struct thread {
    enum state state;
    struct list_head link;
    bool was_woken, must_sleep;
    uint32_t preempt_count; /* while it sleeps */
    struct op op;
    /* its short windows: what the model says, and what is kept of them while others run */
    pfn_t local[KMAP_LOCAL_DEPTH];
    unsigned depth;
    struct kmap_local_saved saved;
    ucontext_t context;
    bool has_context;
};

struct mapping {
    unsigned uses;
    virt_t window;
    bool free;
    struct page descriptor; /* of a free page: not kmap's */
};

struct model_state {
    struct thread thread[MODEL_THREADS];
    struct thread *current;
    struct mapping mapping[MODEL_PAGES];
    unsigned used;
    uint32_t findings, resets;
    ucontext_t scheduler;
    bool in_coroutine, in_irq;
    unsigned accesses; /* of the current operation */
};
extern struct model_state m;

/* kmap_threads.c: how many there are in this state. */
unsigned threads_in(enum state state);
unsigned number_of(const struct thread *t);
extern const struct wait_ops model_wait_ops;

/* Does the operation of thread `t`, here or, where it may have to stop, on a stack of its own. */
void act(struct thread *t);
void enter(struct thread *t);

/* The processor goes on with this thread; the thread is to be as one that never ran. */
void switch_to(struct thread *t);
void drop_thread(struct thread *t);

/* kmap_moves.c: the operations, with what the model says to them. NULL: not by one thread alone. */
extern void (*const actions[NR_OP_KINDS])(struct thread *t);
pfn_t pfn_of(unsigned page);

/* Whether kmap() by this thread has to sleep: no window is left but those kept for others. */
bool must_sleep(unsigned page);

/* kmap_check.c: all that must hold between operations. */
void check_all(void);

#endif
