// SPDX-License-Identifier: BSD-2-Clause
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ci/oracle/view.h"

/* Equal differences side by side. */
struct stretch {
    const struct mapping *page;            /* the first: what is believed of it, or else seen */
    const struct mapping *believed, *seen; /* the same; NULL: there is none */
    uint64_t end;                          /* virtual address behind the last */
    unsigned long pages;
};

struct comparison {
    const char *name;
    unsigned rights_told;
    size_t limit, found;
    struct words *findings;
    struct stretch stretch; /* pages 0: none */
};

static void rights_text(char *letters, unsigned rights)
{
    static const char all[] = RIGHTS_LETTERS;

    for (size_t i = 0; all[i]; i++)
        letters[i] = (char)((rights & 1u << i) ? all[i] : '-');
    letters[strlen(all)] = '\0';
}

/* "physical 0x1000, 4K, w------"; for free(). */
static char *describe(const struct mapping *mapping)
{
    char letters[sizeof(RIGHTS_LETTERS)];
    char *place = mapping->any_phys ? text_copy("any physical page")
                                    : text("physical 0x%" PRIx64, mapping->phys);
    char *whole;

    rights_text(letters, mapping->rights);
    if (mapping->place_only)
        whole = text("%s", place);
    else
        whole =
            text("%s, %s, %s", place, mapping->bytes == VIEW_LARGE_BYTES ? "2M" : "4K", letters);
    free(place);
    return whole;
}

static void add_finding(struct comparison *c, char *finding)
{
    if (c->found++ < c->limit)
        words_add(c->findings, "%s: %s", c->name, finding);
    free(finding);
}

static void end_stretch(struct comparison *c)
{
    const struct stretch *s = &c->stretch;

    if (!s->pages)
        return;
    char *believed = s->believed ? describe(s->believed) : NULL;
    char *seen = s->seen ? describe(s->seen) : NULL;
    char *place = text("0x%08" PRIx32 "%s%s, %lu page%s", s->page->virt, s->believed ? " " : "",
                       s->believed ? s->believed->what : "", s->pages, s->pages == 1 ? "" : "s");

    if (!s->seen)
        add_finding(c, text("%s: believed %s; not seen", place, believed));
    else if (!s->believed)
        add_finding(c, text("%s: seen %s; not believed", place, seen));
    else
        add_finding(c, text("%s: believed %s; seen %s", place, believed, seen));
    free(place);
    free(seen);
    free(believed);
    c->stretch.pages = 0;
}

/* Is it the same difference as that of the stretch, one page further? */
static bool continues(const struct stretch *s, const struct mapping *believed,
                      const struct mapping *seen, uint32_t virt)
{
    if (!s->pages || s->end != virt || !s->believed != !believed || !s->seen != !seen)
        return false;
    if (believed &&
        (s->believed->bytes != believed->bytes || s->believed->rights != believed->rights ||
         strcmp(s->believed->what, believed->what)))
        return false;
    if (seen && (s->seen->bytes != seen->bytes || s->seen->rights != seen->rights ||
                 s->seen->phys + (virt - s->seen->virt) != seen->phys))
        return false;
    return true;
}

static void difference(struct comparison *c, const struct mapping *page,
                       const struct mapping *believed, const struct mapping *seen)
{
    if (!continues(&c->stretch, believed, seen, page->virt)) {
        end_stretch(c);
        c->stretch = (struct stretch){.page = page, .believed = believed, .seen = seen};
    }
    c->stretch.end = (uint64_t)page->virt + page->bytes;
    c->stretch.pages++;
}

static bool same(const struct comparison *c, const struct mapping *believed,
                 const struct mapping *seen)
{
    if (!believed->any_phys && believed->phys != seen->phys)
        return false;
    /* The place alone is no judgement of an entry. */
    if (seen->place_only)
        return false;
    return believed->bytes == seen->bytes &&
           (believed->rights & c->rights_told) == (seen->rights & c->rights_told);
}

static size_t skip_to(const struct view *view, size_t at, uint64_t end)
{
    while (at < view->count && view->at[at].virt < end)
        at++;
    return at;
}

static void compare_pages(struct comparison *c, const struct view *believed,
                          const struct view *seen)
{
    size_t b = 0, s = 0;

    while (b < believed->count || s < seen->count) {
        const struct mapping *wanted = &believed->at[b], *found = &seen->at[s];

        if (s == seen->count || (b < believed->count && wanted->virt < found->virt)) {
            difference(c, wanted, wanted, NULL);
            b++;
            continue;
        }
        if (b == believed->count || found->virt < wanted->virt) {
            difference(c, found, NULL, found);
            s++;
            continue;
        }
        if (!same(c, wanted, found))
            difference(c, wanted, wanted, found);
        /* Of a large page against small ones, the first tells enough. */
        uint64_t end =
            (uint64_t)found->virt + (wanted->bytes > found->bytes ? wanted->bytes : found->bytes);
        b = skip_to(believed, b + 1, wanted->bytes == found->bytes ? 0 : end);
        s = skip_to(seen, s + 1, wanted->bytes == found->bytes ? 0 : end);
    }
    end_stretch(c);
}

static void compare_number(struct comparison *c, const char *what, uint64_t believed, uint64_t seen)
{
    if (believed != seen)
        add_finding(c, text("%s: believed 0x%" PRIx64 "; seen 0x%" PRIx64, what, believed, seen));
}

static void compare_top(struct comparison *c, const struct view *believed, const struct view *seen)
{
    if (!believed->top.told || !seen->top.told || seen->top.pdptes != VIEW_PDPTES) {
        add_finding(c, text("control registers and PDPTEs: %s",
                            believed->top.told ? "not seen" : "nothing believed"));
        return;
    }
    compare_number(c, "CR3", believed->top.cr3, seen->top.cr3);
    for (int i = 0; i < VIEW_PDPTES; i++) {
        char *what = text("PDPTE %d", i);

        compare_number(c, what, believed->top.pdpte[i], seen->top.pdpte[i]);
        free(what);
    }
    compare_number(c, "CR4.PAE", believed->top.pae, seen->top.pae);
    compare_number(c, "CR4.PGE", believed->top.pge, seen->top.pge);
    compare_number(c, "EFER.NXE", believed->top.nxe, seen->top.nxe);
}

/* One address, two beliefs: one of the books is wrong. */
static void check_belief(struct comparison *c, const struct view *believed)
{
    for (size_t i = 1; i < believed->count; i++) {
        const struct mapping *first = &believed->at[i - 1], *second = &believed->at[i];

        if (second->virt - first->virt < first->bytes)
            add_finding(c, text("0x%08" PRIx32 ": believed twice, as %s and as %s", second->virt,
                                first->what, second->what));
    }
}

size_t view_compare(const char *name, struct view *believed, struct view *seen, size_t limit,
                    struct words *findings)
{
    struct comparison c = {.name = name,
                           .rights_told = believed->rights_told & seen->rights_told,
                           .limit = limit,
                           .findings = findings};

    view_sort(believed);
    view_sort(seen);
    compare_top(&c, believed, seen);
    check_belief(&c, believed);
    compare_pages(&c, believed, seen);
    if (c.found > limit)
        words_add(findings, "%s: and %zu more differences", name, c.found - limit);
    return c.found;
}
