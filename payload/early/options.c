/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/options.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/option.h"
#include "lib/string.h"
#include "paging/layout.h"

#define NOTE_MAX 112
#define VALUE_SHOWN_MAX 48
#define OPTION_REMEDIES_ALL (BIT(NR_OPTION_REMEDIES) - 1)

const char *const option_remedy_names[NR_OPTION_REMEDIES] = {
    "watermarks", "mobility", "pcp",     "compaction", "reclaim",
    "highpte",    "pool",     "smaller", "clustering",
};

/* One option: takes the value, or says with a negative errno that it is none. */
struct option_rule {
    const char *key;
    int (*take)(struct options *options, const struct option_word *word);
    const char *wants; /* for the warning */
};

/* A word and what it stands for. */
struct choice {
    const char *word;
    uint32_t value;
};

static int take_text(char *to, size_t size, const struct option_word *word)
{
    if (!word->has_value || word->value_len == 0)
        return -EINVAL;
    if (word->value_len >= size)
        return -ERANGE;
    memcpy(to, word->value, word->value_len);
    to[word->value_len] = '\0';
    return 0;
}

static int take_choice(const struct choice *choices, unsigned count, const struct option_word *word,
                       uint32_t *out)
{
    for (unsigned i = 0; i < count; i++) {
        if (strlen(choices[i].word) == word->value_len &&
            memcmp(choices[i].word, word->value, word->value_len) == 0) {
            *out = choices[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

static int take_u32(const struct option_word *word, uint32_t *out)
{
    uint64_t value;
    int error = parse_u64(word->value, word->value_len, 0, &value);

    if (error)
        return error;
    if (value > UINT32_MAX)
        return -ERANGE;
    *out = (uint32_t)value;
    return 0;
}

static int take_tests(struct options *options, const struct option_word *word)
{
    return take_text(options->tests, sizeof(options->tests), word);
}

static int take_split(struct options *options, const struct option_word *word)
{
    static const struct choice splits[] = {{"3g", SPLIT_3G}, {"2g", SPLIT_2G}, {"1g", SPLIT_1G}};

    return take_choice(splits, ARRAY_SIZE(splits), word, &options->page_offset);
}

static int take_mem(struct options *options, const struct option_word *word)
{
    uint64_t size;
    int error = parse_size(word->value, word->value_len, &size);

    if (error)
        return error;
    if (size < MIB64(16))
        return -ERANGE;
    options->mem = phys_make(size);
    return 0;
}

static int take_passes(struct options *options, const struct option_word *word)
{
    int error = take_u32(word, &options->passes);

    if (!error)
        options->passes_given = true;
    return error;
}

static int take_time(struct options *options, const struct option_word *word)
{
    return take_u32(word, &options->time_s);
}

static int take_seed(struct options *options, const struct option_word *word)
{
    int error = parse_u64(word->value, word->value_len, 16, &options->seed);

    if (!error)
        options->seed_given = true;
    return error;
}

static int take_console(struct options *options, const struct option_word *word)
{
    int error;

    if (options->nr_consoles == OPTION_CONSOLES_MAX)
        return -ENOSPC;
    error = take_text(options->console[options->nr_consoles], OPTION_CONSOLE_TEXT_MAX, word);
    if (!error)
        options->nr_consoles++;
    return error;
}

static int take_report(struct options *options, const struct option_word *word)
{
    static const struct choice formats[] = {{"ktap", REPORT_KTAP}, {"lava", REPORT_LAVA}};
    uint32_t value;
    int error = take_choice(formats, ARRAY_SIZE(formats), word, &value);

    if (!error)
        options->report = (enum report_format)value;
    return error;
}

static int take_exit(struct options *options, const struct option_word *word)
{
    static const struct choice actions[] = {{"halt", POWER_HALT},
                                            {"reboot", POWER_REBOOT},
                                            {"poweroff", POWER_OFF},
                                            {"qemu", POWER_QEMU}};
    uint32_t value;
    int error = take_choice(actions, ARRAY_SIZE(actions), word, &value);

    if (!error)
        options->exit = (enum power_action)value;
    return error;
}

static int take_inject(struct options *options, const struct option_word *word)
{
    int error;

    if (options->nr_injects == OPTION_INJECT_MAX)
        return -ENOSPC;
    error = take_text(options->inject[options->nr_injects], sizeof(options->inject[0]), word);
    if (!error)
        options->nr_injects++;
    return error;
}

static int take_destructive(struct options *options, const struct option_word *word)
{
    return take_text(options->destructive, sizeof(options->destructive), word);
}

static int take_audible(struct options *options, const struct option_word *word)
{
    return take_text(options->audible, sizeof(options->audible), word);
}

static int take_avoid(struct options *options, const struct option_word *word)
{
    return take_text(options->avoid, sizeof(options->avoid), word);
}

static int take_probes(struct options *options, const struct option_word *word)
{
    if (word->has_value)
        return -EINVAL;
    options->probes = true;
    return 0;
}

static int take_trace(struct options *options, const struct option_word *word)
{
    int error =
        word->has_value ? take_text(options->trace_names, sizeof(options->trace_names), word) : 0;

    if (!error)
        options->trace = true;
    return error;
}

static int take_oracle(struct options *options, const struct option_word *word)
{
    int error = word->has_value
                    ? take_text(options->oracle_points, sizeof(options->oracle_points), word)
                    : 0;

    if (!error)
        options->oracle = true;
    return error;
}

static int take_slab_debug(struct options *options, const struct option_word *word)
{
    if (word->has_value)
        return -EINVAL;
    options->slab_debug = true;
    return 0;
}

static int take_failfast(struct options *options, const struct option_word *word)
{
    if (word->has_value)
        return -EINVAL;
    options->failfast = true;
    return 0;
}

static int take_depth(struct options *options, const struct option_word *word)
{
    static const struct choice depths[] = {
        {"sparse", DEPTH_SPARSE}, {"smoke", DEPTH_SMOKE}, {"full", DEPTH_FULL}};
    uint32_t value;
    int error = take_choice(depths, ARRAY_SIZE(depths), word, &value);

    if (!error)
        options->depth = (enum depth)value;
    return error;
}

static int take_lowmem(struct options *options, const struct option_word *word)
{
    static const struct choice all[] = {{"all", 1}};
    uint32_t unused;
    uint64_t size;
    int error = take_choice(all, ARRAY_SIZE(all), word, &unused);

    if (!error) {
        options->lowmem = OPTION_LOWMEM_ALL;
        return 0;
    }
    error = parse_size(word->value, word->value_len, &size);
    if (error)
        return error;
    if (size < MIB64(1) || size > GIB64(4))
        return -ERANGE;
    options->lowmem = size;
    return 0;
}

static int take_remedy(const struct option_word *item, uint32_t *out)
{
    for (unsigned i = 0; i < NR_OPTION_REMEDIES; i++) {
        if (strlen(option_remedy_names[i]) == item->value_len &&
            memcmp(option_remedy_names[i], item->value, item->value_len) == 0) {
            *out = BIT(i);
            return 0;
        }
    }
    return -EINVAL;
}

static bool is_list(const struct option_word *word)
{
    return word->has_value && word->value_len && word->value[word->value_len - 1] != ',';
}

/* What stands before the next comma of a list; the rest is left in it. */
static struct option_word next_item(struct option_word *list)
{
    struct option_word item = {.value = list->value, .has_value = true};

    while (item.value_len < list->value_len && list->value[item.value_len] != ',')
        item.value_len++;
    list->value += MIN(item.value_len + 1, list->value_len);
    list->value_len -= MIN(item.value_len + 1, list->value_len);
    return item;
}

/* One NAME:NUMBER. */
static int take_one_size(struct option_size *size, const struct option_word *item)
{
    size_t name_len = 0;

    while (name_len < item->value_len && item->value[name_len] != ':')
        name_len++;
    if (name_len == 0 || name_len == item->value_len)
        return -EINVAL;
    if (name_len >= OPTION_SIZE_NAME_MAX)
        return -ERANGE;
    memcpy(size->name, item->value, name_len);
    size->name[name_len] = '\0';
    return parse_size(item->value + name_len + 1, item->value_len - name_len - 1, &size->value);
}

/* All of the list or nothing. */
static int take_sizes(struct options *options, const struct option_word *word)
{
    struct option_word list = *word;
    unsigned count = options->nr_sizes;

    if (!is_list(word))
        return -EINVAL;
    while (list.value_len) {
        struct option_word item = next_item(&list);
        int error =
            count < OPTION_SIZES_MAX ? take_one_size(&options->sizes[count], &item) : -ENOSPC;

        if (error)
            return error;
        count++;
    }
    options->nr_sizes = count;
    return 0;
}

/* One item: a bit, or several. */
static int remedies_of(const struct option_word *item, uint32_t *out)
{
    static const struct choice wide[] = {{"all", OPTION_REMEDIES_ALL}, {"none", 0}};

    return take_choice(wide, ARRAY_SIZE(wide), item, out) == 0 ? 0 : take_remedy(item, out);
}

static bool knows_remedy(const struct option_word *item)
{
    uint32_t unused;

    return remedies_of(item, &unused) == 0;
}

/* Those that are known; if none of them is, the default stands. */
static int take_remedies(struct options *options, const struct option_word *word)
{
    struct option_word list = *word;
    uint32_t remedies = 0;
    bool any = false;

    if (!is_list(word))
        return -EINVAL;
    while (list.value_len) {
        struct option_word item = next_item(&list);
        uint32_t more;

        if (remedies_of(&item, &more) != 0)
            continue;
        remedies |= more;
        any = true;
    }
    if (any)
        options->remedies = remedies;
    return 0;
}

static const struct option_rule rules[] = {
    {"tests", take_tests, "comma-separated globs of at most 159 characters"},
    {"split", take_split, "3g, 2g or 1g"},
    {"mem", take_mem, "a size of at least 16M, as 512M or 4G"},
    {"passes", take_passes, "a number; 0: for ever"},
    {"time", take_time, "a number of seconds"},
    {"seed", take_seed, "a hexadecimal number of at most 64 bits"},
    {"console", take_console, "at most 4 of ttySN[,BAUD], 0xPORT[,BAUD], screen, e9"},
    {"report", take_report, "ktap or lava"},
    {"exit", take_exit, "halt, reboot, poweroff or qemu"},
    {"inject", take_inject, "at most 4 names of mutations"},
    {"destructive", take_destructive, "names of devices"},
    {"audible", take_audible, "comma-separated globs of sound devices"},
    {"avoid", take_avoid, "comma-separated globs of drivers and PCI functions"},
    {"probes", take_probes, "no value"},
    {"oracle", take_oracle, "no value, or comma-separated globs of at most 159 characters"},
    {"trace", take_trace, "no value, or comma-separated globs of at most 159 characters"},
    {"slab_debug", take_slab_debug, "no value"},
    {"failfast", take_failfast, "no value"},
    {"depth", take_depth, "sparse, smoke or full"},
    {"lowmem", take_lowmem, "a size of 1M to 4G, or all"},
    {"size", take_sizes, "at most 8 of WORKLOAD:NUMBER, with commas between"},
    {"remedies", take_remedies, "all, none, or names, with commas between"},
};

static void warn(option_note_t note, const struct option_word *word, const char *why,
                 const char *wants)
{
    char text[NOTE_MAX];
    /* Show the whole word as it was typed, value and all, as far as there is room. */
    const char *end = word->has_value ? word->value + word->value_len : word->key + word->key_len;
    int shown = (int)MIN((size_t)(end - word->key), (size_t)VALUE_SHOWN_MAX);

    if (!note)
        return;
    format(text, sizeof(text), "option %.*s: %s%s", shown, word->key, why, wants);
    note(text);
}

/* Each that is not known is named: the others are taken. */
static void warn_unknown_remedies(option_note_t note, const struct option_word *word,
                                  const char *wants)
{
    struct option_word list = *word;

    while (list.value_len) {
        struct option_word item = next_item(&list);
        char text[NOTE_MAX];

        if (knows_remedy(&item) || !note)
            continue;
        format(text, sizeof(text), "option remedies=: %.*s not taken, wants %s",
               (int)MIN(item.value_len, (size_t)VALUE_SHOWN_MAX), item.value, wants);
        note(text);
    }
}

static bool key_has_slash(const struct option_word *word)
{
    for (size_t i = 0; i < word->key_len; i++)
        if (word->key[i] == '/')
            return true;
    return false;
}

static void take_word(struct options *options, const struct option_word *word, bool first,
                      option_note_t note)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        if (!option_is(word, rules[i].key))
            continue;
        if (rules[i].take(options, word) != 0)
            warn(note, word, "not taken, wants ", rules[i].wants);
        else if (rules[i].take == take_remedies)
            warn_unknown_remedies(note, word, rules[i].wants);
        return;
    }
    /* The loader's own word: a path, a URL (which may hold a "="), a file name. */
    if (first && (!word->has_value || key_has_slash(word)))
        return;
    warn(note, word, "unknown, ignored", "");
}

void options_parse(struct options *options, const char *command_line, option_note_t note)
{
    struct option_word word;
    bool first = true;

    memset(options, 0, sizeof(*options));
    options->page_offset = SPLIT_3G;
    options->passes = 1;
    options->report = REPORT_KTAP;
    options->exit = POWER_HALT;
    options->depth = DEPTH_SMOKE;
    options->remedies = OPTION_REMEDIES_ALL;
    for (; option_next(&command_line, &word); first = false)
        take_word(options, &word, first, note);
    /* A time alone is how long to go on. */
    if (options->time_s && !options->passes_given)
        options->passes = 0;
}
