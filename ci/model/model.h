/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_MODEL_H
#define CI_MODEL_MODEL_H

/*
 * What searching, shrinking, the command line and the fuzzer need of a model: sequences of
 * operations that run from a fresh start, the same each time. Which model it is, is settled when
 * they are compiled: MODEL_HEADER names its header, with
 *
 *     struct op          an operation, of bytes only, all of whose values mean something
 *     MODEL_OP_BYTES     how many bytes the fuzzer gives for one
 *     MODEL_NR_WAYS      ways in which an operation can be made simpler
 *     MODEL_NR_COUNTS    how much of what matters has happened, in so many counts
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef MODEL_HEADER /* to a tool that was not told */
#define MODEL_HEADER "ci/model/kmap_model.h"
#endif
#include MODEL_HEADER

#define MODEL_TEXT_BYTES 160u

struct model_result {
    size_t done;                 /* operations, the one that failed included */
    char text[MODEL_TEXT_BYTES]; /* what broke; empty: nothing */
    uint32_t count[MODEL_NR_COUNTS];
};

/* What is counted, in words. */
extern const char *const model_count_names[MODEL_NR_COUNTS];

/*
 * Runs the sequence from a fresh start, up to its first failure. broken: the mutation to switch on,
 * or NULL. Numbers out of range are taken modulo what there is. Returns true if all was right.
 */
bool model_run(const struct op *ops, size_t count, const char *broken, struct model_result *result);

/* Lines of C, one an operation, that model_parse_op() reads again. */
void model_print(const struct op *ops, size_t count);
bool model_parse_op(const char *line, struct op *op);

/* The next operation of a random sequence; draw(ctx, n) gives a number below n. */
struct op model_random_op(uint32_t (*draw)(void *ctx, uint32_t n), void *ctx);

/* The operation that MODEL_OP_BYTES bytes stand for. */
struct op model_decode(const uint8_t *bytes);

/* One way to make an operation simpler. False if there is no such way, or it changes nothing. */
bool model_simplify(struct op *op, unsigned way);

#endif
