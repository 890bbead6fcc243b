/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_OP_H
#define CI_MODEL_OP_H

/*
 * The numbers that a model's operations are made of: how they are written down, and how one can be
 * made simpler. With these two tables, which each model has, op.c prints, reads and simplifies the
 * operations of any.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ci/model/model.h"

struct op_field {
    uint8_t offset, bytes; /* in struct op; 1 or 2 */
    bool is_hex;
    uint16_t nr;              /* it is taken modulo this; 0: as it is */
    const char *const *names; /* of its `nr` values; NULL: it is written as a number */
};

#define OP_MEMBER(member) offsetof(struct op, member), sizeof(((struct op *)NULL)->member)
#define OP_NUMBER(member) OP_MEMBER(member), false, 0, NULL
#define OP_HEX(member) OP_MEMBER(member), true, 0, NULL
#define OP_BELOW(member, nr) OP_MEMBER(member), false, nr, NULL
#define OP_NAMED(member, nr, names) OP_MEMBER(member), false, nr, names

struct op_way {
    uint8_t offset, bytes;
    uint16_t (*simpler)(uint16_t value); /* the same value: it can't be simpler */
};
#define OP_WAY(member, simpler) OP_MEMBER(member), simpler

/* In the order in which they are written. */
extern const struct op_field model_fields[MODEL_NR_FIELDS];

/* What makes it much simpler comes first. */
extern const struct op_way model_ways[MODEL_NR_WAYS];

uint16_t op_none(uint16_t value); /* 0 */
uint16_t op_half(uint16_t value);
uint16_t op_less(uint16_t value); /* by one */

#endif
