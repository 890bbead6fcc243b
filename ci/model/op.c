/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/op.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 32u

static uint16_t get(const struct op *op, uint8_t offset, uint8_t bytes)
{
    const uint8_t *at = (const uint8_t *)op + offset;
    uint16_t wide;

    if (bytes == 1)
        return *at;
    memcpy(&wide, at, sizeof(wide));
    return wide;
}

static void set(struct op *op, uint8_t offset, uint8_t bytes, uint16_t value)
{
    uint8_t *at = (uint8_t *)op + offset;

    if (bytes == 1)
        *at = (uint8_t)value;
    else
        memcpy(at, &value, sizeof(value));
}

static void print_field(const struct op *op, const struct op_field *field)
{
    unsigned value = get(op, field->offset, field->bytes);

    if (field->nr)
        value %= field->nr;
    if (field->names)
        printf("%s", field->names[value]);
    else
        printf(field->is_hex ? "0x%x" : "%u", value);
}

void model_print(const struct op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("    {");
        for (unsigned j = 0; j < MODEL_NR_FIELDS; j++) {
            printf("%s", j ? ", " : "");
            print_field(&ops[i], &model_fields[j]);
        }
        printf("},\n");
    }
}

static int number_of(const char *name, const struct op_field *field)
{
    for (int i = 0; i < field->nr; i++)
        if (!strcmp(name, field->names[i]))
            return i;
    return -1;
}

/* What stands at *line, which goes behind it; -1 if that is no value of the field. */
static long parse_field(const char **line, const struct op_field *field)
{
    size_t length = strspn(*line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    char name[NAME_BYTES];
    unsigned long value;
    char *end;

    if (field->names) {
        if (length >= sizeof(name))
            return -1;
        memcpy(name, *line, length);
        name[length] = '\0';
        *line += length;
        return number_of(name, field);
    }
    if (!isdigit((unsigned char)**line))
        return -1;
    value = strtoul(*line, &end, 0);
    *line = end;
    return value < 1ul << 8 * field->bytes ? (long)value : -1;
}

bool model_parse_op(const char *line, struct op *op)
{
    *op = (struct op){0};
    line += strspn(line, " ");
    for (unsigned i = 0; i < MODEL_NR_FIELDS; i++) {
        const struct op_field *field = &model_fields[i];
        long value;

        if (*line++ != (i ? ',' : '{'))
            return false;
        line += strspn(line, " ");
        value = parse_field(&line, field);
        if (value < 0)
            return false;
        set(op, field->offset, field->bytes, (uint16_t)value);
    }
    return *line == '}';
}

uint16_t op_none(uint16_t value)
{
    (void)value;
    return 0;
}

uint16_t op_half(uint16_t value)
{
    return value / 2;
}

uint16_t op_less(uint16_t value)
{
    return value > 0 ? value - 1 : 0;
}

bool model_simplify(struct op *op, unsigned way)
{
    const struct op_way *chosen = &model_ways[way];
    uint16_t was = get(op, chosen->offset, chosen->bytes), value = chosen->simpler(was);

    set(op, chosen->offset, chosen->bytes, value);
    return value != was;
}
