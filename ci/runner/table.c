// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"
#include "ci/runner/words.h"

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return s;
}

static int add_stanza(struct table *table, const char *name, unsigned line, char **message)
{
    for (size_t i = 0; i < table->nr_stanzas; i++) {
        if (!strcmp(table->stanzas[i].name, name)) {
            *message =
                text("a second stanza [%s], the first is in line %u", name, table->stanzas[i].line);
            return -EINVAL;
        }
    }
    struct table_stanza *stanza = array_add(&table->stanzas, &table->nr_stanzas);
    stanza->name = text_copy(name);
    stanza->line = line;
    return 0;
}

static int add_entry(struct table *table, char *line_text, unsigned line, char **message)
{
    char *equals = strchr(line_text, '=');

    if (!equals || !table->nr_stanzas) {
        *message = text(equals ? "a value before the first [stanza]: %s"
                               : "neither [name] nor key = value: %s",
                        line_text);
        return -EINVAL;
    }
    *equals = '\0';
    struct table_entry entry = {
        .key = text_copy(trim(line_text)), .value = text_copy(trim(equals + 1)), .line = line};
    struct table_stanza *stanza = &table->stanzas[table->nr_stanzas - 1];
    *array_add(&stanza->entries, &stanza->nr_entries) = entry;
    return 0;
}

static int take_line(struct table *table, char *raw, unsigned line, char **message)
{
    char *line_text = trim(raw);
    size_t length = strlen(line_text);

    if (!length || *line_text == '#')
        return 0;
    if (*line_text == '[' && length > 2 && line_text[length - 1] == ']') {
        line_text[length - 1] = '\0';
        return add_stanza(table, trim(line_text + 1), line, message);
    }
    return add_entry(table, line_text, line, message);
}

int table_read(struct table *table, const char *path, char **message)
{
    FILE *file = fopen(path, "r");
    char *raw = NULL;
    size_t room = 0;
    int error = 0;

    *table = (struct table){0};
    *message = NULL;
    if (!file) {
        error = -errno;
        *message = text("%s: %s", path, strerror(errno));
        return error;
    }
    for (unsigned line = 1; !error && getline(&raw, &room, file) >= 0; line++) {
        char *what = NULL;

        error = take_line(table, raw, line, &what);
        if (error)
            *message = text("%s:%u: %s", path, line, what);
        free(what);
    }
    free(raw);
    fclose(file);
    if (error)
        table_free(table);
    return error;
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->nr_stanzas; i++) {
        struct table_stanza *stanza = &table->stanzas[i];

        for (size_t j = 0; j < stanza->nr_entries; j++) {
            free(stanza->entries[j].key);
            free(stanza->entries[j].value);
        }
        free(stanza->entries);
        free(stanza->name);
    }
    free(table->stanzas);
    *table = (struct table){0};
}
