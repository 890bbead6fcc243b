// SPDX-License-Identifier: BSD-2-Clause
/*
 * usage: includes FILE...
 *
 * Checks what the project's files include against the folder table of the design: an arrow never
 * points back up it. Run in the project's root with all of its files; what ends in .c, .h or .S is
 * checked whole, of the others only that they name their licence. Prints what is wrong as
 * "file:line: what: which rule", and ends with status 1 then.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPDX "SPDX-License-Identifier: BSD-2-Clause"
#define SPDX_LINES 2u /* a script's first line is its interpreter's */

enum verdict { ALLOWED, FORBIDDEN };

/*
 * Who may include what; the first line that fits both decides, and the last fits everything. Both
 * are globs whose * goes through slashes. Names in angle brackets keep them.
 */
static const struct rule {
    const char *from, *what;
    enum verdict verdict;
    const char *why;
} rules[] = {
    /* Unit tests take a source in whole, to reach what is static in it. */
    {"ci/unit/*", "*", ALLOWED, NULL},
    {"ci/runner/tests/*", "*.h*", ALLOWED, NULL},
    {"ci/model/under_test.c", "paging/*.c", ALLOWED, NULL},
    {"*", "*.c", FORBIDDEN, "only a unit test includes a .c"},

    /* Host tools: the C library, their own headers, and those of lib/ that are plain C. */
    {"ci/*", "<*>", ALLOWED, NULL},
    {"ci/*", "ci/*", ALLOWED, NULL},
    {"ci/*", "lib/*", ALLOWED, NULL},
    {"ci/model/*", "paging/*.h", ALLOWED, NULL},              /* a test of it, on the host */
    {"ci/runner/*", "paging/fragmentation.h", ALLOWED, NULL}, /* computed from a report too */
    {"ci/model/*", "drivers/*.h", ALLOWED, NULL},
    {"ci/*", "*", FORBIDDEN, "a host tool sees ci/ and lib/; unit tests see all"},

    /* The machine side has no C library, only what the compiler brings. */
    {"*", "<std[ab]*.h>", ALLOWED, NULL}, /* stdarg, stdalign, stdbool */
    {"*", "<stddef.h>", ALLOWED, NULL},
    {"*", "<stdint.h>", ALLOWED, NULL},
    {"lib/errno.h", "<errno.h>", ALLOWED, NULL}, /* on the host, see there */
    {"lib/string.h", "<string.h>", ALLOWED, NULL},
    {"loader/memory.h", "<string.h>", ALLOWED, NULL},
    {"loader/*", "<efi*.h>", ALLOWED, NULL},
    {"loader/*", "<cpuid.h>", ALLOWED, NULL},
    {"*", "<*>", FORBIDDEN, "the machine side has the compiler's headers only"},

    /* The folder table. */
    {"loader/*", "loader/*", ALLOWED, NULL},
    {"loader/*", "*", FORBIDDEN, "loader/ includes nothing of the others"},
    {"lib/*", "lib/*", ALLOWED, NULL},
    {"lib/*", "*", FORBIDDEN, "lib/ includes nothing of the others"},
    {"paging/*", "lib/*", ALLOWED, NULL},
    {"paging/*", "paging/*", ALLOWED, NULL},
    {"paging/*", "*", FORBIDDEN, "paging/ includes lib/ only"},
    {"drivers/*", "lib/*", ALLOWED, NULL},
    {"drivers/*", "paging/*", ALLOWED, NULL},
    {"drivers/*", "drivers/*", ALLOWED, NULL},
    {"drivers/*", "*", FORBIDDEN, "drivers/ includes lib/ and paging/ only"},

    /* Multiboot structures are read in one place, and entry.S has the headers. */
    {"payload/entry.S", "loader/multiboot[12].h", ALLOWED, NULL},
    {"payload/early/boot_facts.c", "loader/multiboot[12].h", ALLOWED, NULL},
    {"*", "loader/*", FORBIDDEN, "nothing but the Multiboot headers is shared with loader/"},

    /* A suite sees what a kernel's driver would see, and the framework by its front door. */
    {"payload/tests/*", "drivers/bounce*.h", FORBIDDEN, "a suite sees drivers/dma.h"},
    {"payload/tests/*", "drivers/dma_quick.h", FORBIDDEN, "a suite sees drivers/dma.h"},
    {"payload/tests/*", "drivers/dma_track.h", FORBIDDEN, "a suite sees drivers/dma.h"},
    {"payload/tests/*", "drivers/dma_lock.h", FORBIDDEN, "a suite sees drivers/dma.h"},
    {"payload/tests/*", "drivers/dma_internal.h", FORBIDDEN, "a suite sees drivers/dma.h"},
    {"payload/tests/*", "payload/tests/*", ALLOWED, NULL},
    {"payload/tests/*", "payload/suite.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/page_set.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/traps.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/setup.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/cpu_facts.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/memory.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/oracle.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/stack_use.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/symbols.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/thread.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/trace.h", ALLOWED, NULL},
    {"payload/tests/*", "payload/*", FORBIDDEN, "a suite sees public headers only"},
    {"payload/*", "payload/tests/*", FORBIDDEN, "the framework knows no suite"},
    {"payload/run.c", "payload/suite_run.h", ALLOWED, NULL},
    {"payload/suite.c", "payload/suite_run.h", ALLOWED, NULL},
    {"*", "payload/suite_run.h", FORBIDDEN, "it is for payload/run.c alone"},
    {"payload/*", "lib/*", ALLOWED, NULL},
    {"payload/*", "paging/*", ALLOWED, NULL},
    {"payload/*", "drivers/*", ALLOWED, NULL},
    {"payload/*", "payload/*", ALLOWED, NULL},
    {"*", "*", FORBIDDEN, "no rule of ci/includes.c allows it"},
};

/* name: as it is written, "<stdio.h>" with its brackets, "lib/types.h" without its quotes. */
struct include {
    char *name;
    unsigned line;
};

struct source {
    char *path;
    struct include *includes;
    size_t nr_includes;
    enum { NEW, OPEN, DONE } walk; /* for the search of cycles */
};

struct tree {
    struct source *sources;
    size_t nr_sources;
    FILE *out;
    unsigned findings;
};

static void *must_have(void *memory)
{
    if (!memory) {
        fprintf(stderr, "includes: out of memory\n");
        exit(2);
    }
    return memory;
}

__attribute__((format(printf, 4, 5))) static void find(struct tree *tree, const char *path,
                                                       unsigned line, const char *fmt, ...)
{
    va_list args;

    fprintf(tree->out, "%s:%u: ", path, line);
    va_start(args, fmt);
    vfprintf(tree->out, fmt, args);
    va_end(args);
    fputc('\n', tree->out);
    tree->findings++;
}

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length >= end_length && !strcmp(text + length - end_length, end);
}

static bool is_code(const char *path)
{
    return ends_in(path, ".c") || ends_in(path, ".h") || ends_in(path, ".S");
}

static const char *past_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Past `word` and the blanks behind it, or NULL if the text begins with something else. */
static const char *past_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(text, word, length) != 0 || text[length] == '_' ||
        isalnum((unsigned char)text[length]))
        return NULL;
    return past_blanks(text + length);
}

/* The directive's name if the line is one ("ifndef X"), else NULL. */
static const char *directive(const char *line)
{
    line = past_blanks(line);
    return *line == '#' ? past_blanks(line + 1) : NULL;
}

/* Blanks what is comment in the line; *open tells whether a block comment goes on behind it. */
static void blank_comments(char *line, bool *open)
{
    char quote = '\0';

    for (char *c = line; *c; c++) {
        bool two = c[1] != '\0';

        if (*open) {
            *open = !(two && c[0] == '*' && c[1] == '/');
            if (!*open)
                *c++ = ' ';
            *c = ' ';
        } else if (quote) {
            if (*c == quote)
                quote = '\0';
            else if (*c == '\\' && two)
                c++;
        } else if (c[0] == '/' && c[1] == '*') {
            *open = true;
            *c++ = ' ';
            *c = ' ';
        } else if (c[0] == '/' && c[1] == '/') {
            *c = '\0';
            return;
        } else if (*c == '"' || *c == '\'') {
            quote = *c;
        }
    }
}

/* The name that the line includes, or NULL. The caller frees it. */
static char *included_name(const char *line)
{
    const char *name = directive(line);

    name = name ? past_word(name, "include") : NULL;
    if (!name || (*name != '"' && *name != '<'))
        return NULL;
    const char *end = strchr(name + 1, *name == '"' ? '"' : '>');
    if (!end)
        return NULL;
    return *name == '"' ? must_have(strndup(name + 1, (size_t)(end - name - 1)))
                        : must_have(strndup(name, (size_t)(end - name + 1)));
}

/* LIB_X86_CPU_H for lib/x86/cpu.h. The caller frees it. */
static char *guard_name(const char *path)
{
    char *name = must_have(strdup(path));

    for (char *c = name; *c; c++)
        *c = (char)(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
    return name;
}

/* Which of the guard's two lines was seen last, and which directives were there. */
struct guard {
    char *name;
    unsigned directives;
    bool tested, defined;
};

static void note_guard(struct guard *guard, const char *line)
{
    const char *word = directive(line);
    const char *argument = NULL;

    if (!word)
        return;
    guard->directives++;
    if (guard->directives == 1 && (argument = past_word(word, "ifndef")))
        guard->tested = past_word(argument, guard->name) != NULL;
    if (guard->directives == 2 && (argument = past_word(word, "define")))
        guard->defined = past_word(argument, guard->name) != NULL;
}

static void add_include(struct source *source, struct include include)
{
    source->includes =
        must_have(realloc(source->includes, (source->nr_includes + 1) * sizeof(*source->includes)));
    source->includes[source->nr_includes++] = include;
}

/* Takes a file into the tree and checks what it alone can tell. Cuts `text` into its lines. */
static void tree_add(struct tree *tree, const char *path, char *text)
{
    struct source source = {.path = must_have(strdup(path))};
    struct guard guard = {.name = guard_name(path)};
    bool licensed = false, in_comment = false;
    unsigned number = 0;

    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        licensed = licensed || (number <= SPDX_LINES && strstr(line, SPDX));
        if (!is_code(path))
            continue;
        blank_comments(line, &in_comment);
        note_guard(&guard, line);
        char *name = included_name(line);
        if (name)
            add_include(&source, (struct include){name, number});
    }
    if (!licensed)
        find(tree, path, 1, "no line \"" SPDX "\": every file names its licence");
    if (ends_in(path, ".h") && !(guard.tested && guard.defined))
        find(tree, path, 1, "no include guard %s: it is named after the path", guard.name);
    free(guard.name);
    tree->sources =
        must_have(realloc(tree->sources, (tree->nr_sources + 1) * sizeof(*tree->sources)));
    tree->sources[tree->nr_sources++] = source;
}

static struct source *tree_find(const struct tree *tree, const char *path)
{
    for (size_t i = 0; i < tree->nr_sources; i++) {
        if (!strcmp(tree->sources[i].path, path))
            return &tree->sources[i];
    }
    return NULL;
}

static void check_include(struct tree *tree, const char *path, const struct include *include)
{
    const struct rule *rule = rules;
    char *bare = must_have(strdup(include->name + (*include->name == '<')));

    bare[strcspn(bare, ">")] = '\0';
    bool ours = tree_find(tree, bare) != NULL;
    free(bare);
    if (*include->name == '<' && ours) {
        find(tree, path, include->line, "includes %s: our own files stand in quotes",
             include->name);
        return;
    }
    if (*include->name != '<' && !ours) {
        find(tree, path, include->line,
             "includes \"%s\", which is no file of ours: names go from the project's root",
             include->name);
        return;
    }
    while (fnmatch(rule->from, path, 0) != 0 || fnmatch(rule->what, include->name, 0) != 0)
        rule++;
    if (rule->verdict == FORBIDDEN)
        find(tree, path, include->line, "includes %s: %s", include->name, rule->why);
}

/* Depth first; what is reached while it is open includes itself by some way. */
static void check_cycles(struct tree *tree, struct source *source)
{
    source->walk = OPEN;
    for (size_t i = 0; i < source->nr_includes; i++) {
        struct source *target = tree_find(tree, source->includes[i].name);

        if (target && target->walk == OPEN)
            find(tree, source->path, source->includes[i].line,
                 "includes %s, which includes this file: no cycles", target->path);
        else if (target && target->walk == NEW)
            check_cycles(tree, target);
    }
    source->walk = DONE;
}

/* Checks what needs all of the files. Returns how much was found, here and in tree_add(). */
static unsigned tree_check(struct tree *tree)
{
    for (size_t i = 0; i < tree->nr_sources; i++) {
        for (size_t j = 0; j < tree->sources[i].nr_includes; j++)
            check_include(tree, tree->sources[i].path, &tree->sources[i].includes[j]);
        if (tree->sources[i].walk == NEW)
            check_cycles(tree, &tree->sources[i]);
    }
    return tree->findings;
}

static void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->nr_sources; i++) {
        for (size_t j = 0; j < tree->sources[i].nr_includes; j++)
            free(tree->sources[i].includes[j].name);
        free(tree->sources[i].includes);
        free(tree->sources[i].path);
    }
    free(tree->sources);
}

static bool add_file(struct tree *tree, const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    if (!file)
        return false;
    /* No file of text has a NUL: the whole of it is one "line". */
    errno = 0;
    ssize_t length = getdelim(&text, &room, '\0', file);
    fclose(file);
    if (length >= 0)
        tree_add(tree, path, text);
    free(text);
    return length >= 0;
}

int main(int argc, char **argv)
{
    struct tree tree = {.out = stdout};
    int status = 0;

    for (int i = 1; i < argc; i++) {
        if (add_file(&tree, argv[i]))
            continue;
        fprintf(stderr, "%s: %s\n", argv[i], errno ? strerror(errno) : "empty");
        status = 2;
    }
    if (argc < 2 || tree_check(&tree))
        status = status ? status : 1;
    tree_free(&tree);
    return status;
}
