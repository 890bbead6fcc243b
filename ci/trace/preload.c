// SPDX-License-Identifier: BSD-2-Clause
/*
 * Preloaded into Bochs: a buffer for what its debugger prints.
 *
 * Bochs makes its standard output unbuffered, so that each traced line is a system call. With a
 * buffer it traces about six times as fast. The buffer is written out whenever Bochs asks for the
 * next command of its script, and when it ends; more is not needed, since nobody can answer
 * earlier.
 */
#include <dlfcn.h>
#include <stdio.h>

#define BUFFER_BYTES (1u << 18)

static char buffer[BUFFER_BYTES];

static __attribute__((constructor)) void begin(void)
{
    setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
}

/* What Bochs asks for is not what we want. */
void setbuf(FILE *file, char *to)
{
    if (file != stdout)
        setvbuf(file, to, to ? _IOFBF : _IONBF, BUFSIZ);
}

/* How Bochs reads its script. */
char *fgets(char *line, int size, FILE *file)
{
    static char *(*next)(char *, int, FILE *);

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "fgets");
    fflush(stdout);
    return next(line, size, file);
}
