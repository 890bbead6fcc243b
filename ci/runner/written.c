// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/written.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"

#define OPTION "destructive="
#define CLIENT_MAX 31

bool written_allowed(const char *args, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = strstr(args, OPTION); at; at = strstr(at + 1, OPTION)) {
        if (at != args && at[-1] != ' ')
            continue;
        const char *end = at + strcspn(at, " ");

        for (const char *word = at + strlen(OPTION); word < end;) {
            size_t word_length = strcspn(word, ", ");

            if (word_length == length && !strncmp(word, name, length))
                return true;
            word += word_length + 1;
        }
    }
    return false;
}

void written_read(struct written *written, const char *serial, const char *client)
{
    FILE *file = fopen(serial, "r");
    char *line = NULL;
    size_t room = 0;

    *written = (struct written){0};
    while (file && getline(&line, &room, file) >= 0) {
        char name[CLIENT_MAX + 1];
        struct image_range range;

        if (sscanf(line, " # wrote %31[^:]: sectors %" SCNu64 "-%" SCNu64, name, &range.first,
                   &range.last) != 3 ||
            strcmp(name, client) != 0)
            continue;
        *array_add(&written->ranges, &written->count) = range;
    }
    free(line);
    if (file)
        fclose(file);
}

void written_free(struct written *written)
{
    free(written->ranges);
    *written = (struct written){0};
}
