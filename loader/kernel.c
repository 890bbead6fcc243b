/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader/kernel.h"
#include "loader/elf.h"

/*
 * The header's address tag names memory addresses only; which bytes of the file belong there
 * follows from where the header itself lies in both ("Multiboot2 Specification", section 3.1.5).
 */
static bool read_by_addresses(const struct kernel_request *request, size_t size,
                              struct image *image, struct refusal *why)
{
    uint32_t distance = request->header_addr - request->load_addr;
    struct image_segment segment = {.address = request->load_addr};

    image_begin(image);
    if (request->header_addr < request->load_addr || distance > request->header_offset)
        return refuse(why, "the kernel's load address does not fit its header's",
                      request->load_addr);
    segment.file_offset = request->header_offset - distance;
    if (request->load_end_addr == 0)
        segment.file_bytes = (uint32_t)(size - segment.file_offset);
    else if (request->load_end_addr < request->load_addr)
        return refuse(why, "the kernel ends below its load address, at", request->load_end_addr);
    else
        segment.file_bytes = request->load_end_addr - request->load_addr;

    segment.memory_bytes = segment.file_bytes;
    if (request->bss_end_addr != 0) {
        if (request->bss_end_addr < request->load_addr)
            return refuse(why, "the kernel's bss ends below its load address, at",
                          request->bss_end_addr);
        segment.memory_bytes = request->bss_end_addr - request->load_addr;
    }
    return image_add(image, size, &segment, why);
}

bool kernel_read(const void *file, size_t size, struct kernel *kernel, struct refusal *why)
{
    const struct kernel_request *request = &kernel->request;
    uint32_t entry = 0;

    if (!header_read(file, size, &kernel->request, why))
        return false;
    if (request->has_addresses && !request->has_entry)
        return refuse(why, "the kernel has an address tag but no entry tag, load address",
                      request->load_addr);
    if (request->has_addresses) {
        if (!read_by_addresses(request, size, &kernel->image, why))
            return false;
    } else if (!elf_read(file, size, &kernel->image, &entry, why)) {
        return false;
    }
    return image_set_entry(&kernel->image, request->has_entry ? request->entry_addr : entry, why);
}

struct place_wish kernel_wish(const struct kernel *kernel)
{
    const struct kernel_request *request = &kernel->request;
    const struct image *image = &kernel->image;

    return (struct place_wish){
        .size = image->end - image->base,
        .align = request->align,
        .min = request->min_addr,
        .last = request->max_addr,
        .from_top = request->prefers_high,
    };
}
