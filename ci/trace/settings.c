// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/settings.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ci/runner/devices.h"
#include "ci/runner/words.h"

#define OPTION_TEXT_MAX 160 /* of the payload's options, see payload/options.h */

#define DEFAULT_SUITE "kmap"
#define DEFAULT_LIMIT 20000000
#define DEFAULT_CASE_LIMIT 2000000
#define DEFAULT_FUNCTIONS 25
#define DEFAULT_TIMEOUT_S 170

/*
 * What makes sparse depth enough for the suite's hardest cases: they want more pages than there are
 * windows. A trace of the same settings is the same each time, so the seed is fixed.
 */
#define DEFAULT_MEM_BYTES (UINT64_C(2) << 30)

static const struct {
    const char *key, *word;
} default_options[] = {
    {"seed=", "seed=1"},
    {"depth=", "depth=sparse"},
    {"console=", "console=ttyS0"},
};

bool count_parse(const char *s, uint64_t *count)
{
    char *end;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    uint64_t number = strtoull(s, &end, 10), unit = 1;
    if (*end)
        unit = tolower((unsigned char)*end) == 'k'   ? 1000
               : tolower((unsigned char)*end) == 'm' ? 1000000
                                                     : 0;
    if (errno || !number || !unit || (*end && end[1]) || number > UINT32_MAX / unit)
        return false;
    *count = number * unit;
    return true;
}

static void replace(char **field, const char *value)
{
    free(*field);
    *field = *value ? text_copy(value) : NULL;
}

static int set_one(struct settings *settings, const char *key, const char *value, char **message)
{
    const struct {
        const char *key;
        char **field;
    } texts[] = {
        {"suite", &settings->suite},           {"case", &settings->cases},
        {"function", &settings->function},     {"out", &settings->out},
        {"bochs_cpu", &settings->machine.cpu},
    };
    const struct {
        const char *key;
        uint64_t *field;
    } counts[] = {
        {"limit", &settings->limit},
        {"case_limit", &settings->case_limit},
        {"top", &settings->functions},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!strcasecmp(key, texts[i].key)) {
            replace(texts[i].field, value);
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (strcasecmp(key, counts[i].key) != 0)
            continue;
        if (count_parse(value, counts[i].field))
            return 0;
        *message = text("%s=%s: a number of instructions, such as 500k or 20M", key, value);
        return -EINVAL;
    }
    return machine_set(&settings->machine, key, value, message);
}

int settings_read(struct settings *settings, const char *build, char **args)
{
    char *message = NULL;
    int error = 0;

    *settings = (struct settings){
        .suite = text_copy(DEFAULT_SUITE),
        .limit = DEFAULT_LIMIT,
        .case_limit = DEFAULT_CASE_LIMIT,
        .functions = DEFAULT_FUNCTIONS,
    };
    machine_init(&settings->machine);
    settings->machine.firmware = FIRMWARE_BOCHS;
    settings->machine.mem_bytes = DEFAULT_MEM_BYTES;
    settings->machine.timeout_s = DEFAULT_TIMEOUT_S;
    for (; *args && !error; args++) {
        char *equals = strchr(*args, '=');
        char *key = equals ? text("%.*s", (int)(equals - *args), *args) : NULL;

        error = equals ? set_one(settings, key, equals + 1, &message) : -ENOENT;
        if (error)
            fprintf(stderr, "%s\n", message ? message : *args);
        if (error == -ENOENT)
            fputs("there is no such setting\n", stderr);
        free(key);
        free(message);
        message = NULL;
    }
    if (!settings->out)
        settings->out = text("%s/trace", build);
    if (!settings->suite)
        settings->suite = text_copy(DEFAULT_SUITE);
    if (!settings->machine.name)
        settings->machine.name = text_copy("trace");
    return error;
}

/* Appends each of the comma-separated parts of `cases` for the suite. */
static void add_stretches(struct words *stretches, const char *suite, const char *cases)
{
    char *copy = text_copy(cases ? cases : "*"), *rest = copy, *name;

    while ((name = strsep(&rest, ","))) {
        words_add(stretches, "%s.%s", suite, name);
        /* A case that runs for each device is called CASE.DEVICE. */
        if (!strchr(name, '*') && !strchr(name, '.'))
            words_add(stretches, "%s.%s.*", suite, name);
    }
    free(copy);
}

static char *join(const struct words *words, const char *between)
{
    char *whole = text_copy("");

    for (size_t i = 0; i < words->count; i++)
        text_add(&whole, "%s%s", i ? between : "", words->at[i]);
    return whole;
}

static bool has_option(const struct words *words, const char *key)
{
    for (size_t i = 0; i < words->count; i++) {
        if (!strncmp(words->at[i], key, strlen(key)))
            return true;
    }
    return false;
}

char *settings_boot_options(const struct settings *settings, char **message)
{
    struct words stretches = {0}, given = {0}, options = {0};
    char *copy = text_copy(settings->suite), *rest = copy, *suite, *whole = NULL;

    words_split(&given, settings->machine.args);
    while ((suite = strsep(&rest, ",")))
        add_stretches(&stretches, suite, settings->cases);
    char *list = join(&stretches, ",");
    if (strlen(list) >= OPTION_TEXT_MAX || strlen(settings->suite) >= OPTION_TEXT_MAX) {
        *message = text("SUITE and CASE make a list of %zu characters, and the payload takes %u",
                        strlen(list), OPTION_TEXT_MAX - 1);
    } else {
        if (!has_option(&given, "tests="))
            words_add(&options, "tests=%s", settings->suite);
        if (!has_option(&given, "trace"))
            words_add(&options, "trace=%s", list);
        for (size_t i = 0; i < sizeof(default_options) / sizeof(default_options[0]); i++) {
            if (!has_option(&given, default_options[i].key))
                words_add(&options, "%s", default_options[i].word);
        }
        for (size_t i = 0; i < given.count; i++)
            words_add(&options, "%s", given.at[i]);
        whole = join(&options, " ");
    }
    free(list);
    free(copy);
    words_free(&options);
    words_free(&given);
    words_free(&stretches);
    return whole;
}

static void add_setting(struct words *words, const char *key, const char *value)
{
    if (value && *value) {
        char *quoted = shell_quote(value);

        words_add(words, "%s=%s", key, quoted);
        free(quoted);
    }
}

char *settings_repeat_command(const struct settings *settings)
{
    struct words words = {0};
    char *mem = size_text(settings->machine.mem_bytes);
    char *devices = devices_setting(settings->machine.devices);

    add_setting(&words, "SUITE", settings->suite);
    add_setting(&words, "CASE", settings->cases);
    add_setting(&words, "BOCHS_CPU", settings->machine.cpu);
    if (settings->machine.mem_bytes != DEFAULT_MEM_BYTES)
        add_setting(&words, "MEM", mem);
    add_setting(&words, "DEVICES", devices);
    add_setting(&words, "ARGS", settings->machine.args);
    if (settings->limit != DEFAULT_LIMIT)
        words_add(&words, "LIMIT=%" PRIu64, settings->limit);
    if (settings->case_limit != DEFAULT_CASE_LIMIT)
        words_add(&words, "CASE_LIMIT=%" PRIu64, settings->case_limit);
    add_setting(&words, "FUNCTION", settings->function);
    if (settings->machine.timeout_s != DEFAULT_TIMEOUT_S)
        words_add(&words, "TIMEOUT=%u", settings->machine.timeout_s);
    char *line = join(&words, " "), *whole = text("make trace %s", line);
    free(line);
    free(devices);
    free(mem);
    words_free(&words);
    return whole;
}

void settings_free(struct settings *settings)
{
    free(settings->suite);
    free(settings->cases);
    free(settings->function);
    free(settings->out);
    machine_free(&settings->machine);
    *settings = (struct settings){0};
}
