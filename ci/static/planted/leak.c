/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is lost when a file can't be opened. */
#include <stdio.h>
#include <stdlib.h>

char *first_line(const char *path);

char *first_line(const char *path)
{
    char *line = malloc(80);
    FILE *file = fopen(path, "r");

    if (!line || !file)
        return NULL;
    if (!fgets(line, 80, file))
        *line = '\0';
    fclose(file);
    return line;
}
