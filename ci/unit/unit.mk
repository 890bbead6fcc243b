# SPDX-License-Identifier: BSD-2-Clause
#
# Unit tests: pure logic of the machine side and of the host side, on the host, under ASan and UBSan.
# A test is one file ci/unit/test_NAME.c, and one line here that names the sources under test. What
# these call and the host can't do, the test defines itself.

# The page allocator. What it needs besides: kmap_forget(), clear_highpages(), finding(), this_cpu().
page_alloc_SRCS := $(wildcard paging/page_alloc*.c paging/buddy*.c) paging/page_lists.c \
	paging/pageblock.c paging/watermark.c paging/fragmentation.c paging/wait.c

test_ahci_SRCS := drivers/ata_identity.c lib/format.c lib/prng.c
test_ata_SRCS := lib/prng.c
test_attended_SRCS := lib/prng.c
test_avoid_SRCS := drivers/avoid.c lib/name_list.c lib/option.c lib/format.c lib/prng.c
test_bitmap_SRCS := lib/bitmap.c lib/prng.c
test_boot_facts_SRCS := payload/early/boot_facts.c paging/memmap.c lib/format.c lib/str_copy.c \
	lib/prng.c
test_bounce_run_SRCS := drivers/bounce_run.c lib/prng.c
test_boot_options_SRCS := payload/early/options.c lib/option.c lib/format.c lib/prng.c
test_console_16550_SRCS := lib/format.c lib/option.c lib/prng.c
test_console_SRCS := drivers/console_grid.c drivers/console_font.c lib/format.c lib/prng.c
test_compaction_SRCS := $(page_alloc_SRCS) paging/page_owner.c paging/layout.c lib/prng.c
test_completion_SRCS := lib/prng.c
test_crc32c_SRCS := lib/crc32c.c lib/prng.c
test_destructive_SRCS := drivers/destructive.c lib/name_list.c lib/option.c lib/prng.c
test_dma_SRCS := $(filter-out drivers/dma_pool.c,$(wildcard drivers/dma_*.c drivers/bounce*.c)) paging/wait.c \
	lib/bitmap.c lib/crc32c.c lib/finding.c lib/format.c lib/prng.c
test_dma_pool_SRCS := drivers/dma_pool.c lib/prng.c
test_elf_SRCS := loader/elf.c loader/image.c lib/prng.c
test_format_SRCS := lib/format.c lib/prng.c
test_highmem_SRCS := paging/highmem.c lib/prng.c
test_ide_SRCS := lib/prng.c
test_includes_SRCS := lib/prng.c
test_kernel_SRCS := loader/kernel.c loader/header.c loader/elf.c loader/image.c lib/prng.c
test_kmap_SRCS := paging/wait.c paging/kmap.c paging/kmap_local.c paging/layout.c lib/prng.c
test_kmap_range_SRCS := paging/wait.c paging/layout.c lib/prng.c
test_list_SRCS := lib/prng.c
test_load_options_SRCS := loader/options.c lib/prng.c
test_lowmem_spent_SRCS := payload/tests/lowmem_spent.c lib/prng.c
test_mbi_SRCS := loader/mbi.c loader/memory_map.c $(test_boot_facts_SRCS)
test_memmap_SRCS := paging/memmap.c lib/format.c lib/prng.c
test_option_SRCS := lib/option.c lib/prng.c
test_page_alloc_SRCS := $(page_alloc_SRCS) paging/layout.c lib/prng.c
test_page_alloc_lists_SRCS := $(page_alloc_SRCS) paging/layout.c lib/prng.c
test_page_alloc_reclaim_SRCS := lib/prng.c
test_page_set_SRCS := payload/page_set.c $(page_alloc_SRCS) paging/layout.c lib/prng.c
test_pci_SRCS := drivers/avoid.c lib/name_list.c lib/option.c lib/bitmap.c lib/format.c lib/prng.c
test_permute_SRCS := lib/permute.c lib/prng.c
test_pgtable_SRCS := paging/belief.c paging/memmap.c paging/layout.c lib/format.c lib/prng.c
test_place_SRCS := loader/place.c lib/prng.c
test_prng_SRCS := lib/prng.c
test_report_SRCS := payload/report.c lib/crc32c.c lib/format.c lib/prng.c
test_shrinker_SRCS := lib/prng.c
test_slab_SRCS := $(wildcard paging/slab*.c) paging/kmalloc.c paging/wait.c lib/bitmap.c lib/prng.c
test_string_SRCS := lib/string.c lib/str_copy.c lib/prng.c
test_trace_marks_SRCS := payload/trace.c lib/option.c lib/str_copy.c lib/prng.c
test_transfer_SRCS := drivers/avoid.c lib/name_list.c lib/option.c lib/format.c lib/prng.c
test_tlb_SRCS := paging/layout.c lib/prng.c
test_vmalloc_SRCS := paging/vmalloc.c paging/ioremap.c paging/layout.c lib/bitmap.c lib/prng.c

UNIT_CFLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -fno-strict-aliasing -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-sign-compare -I.

# Here preemption is counted.
$(foreach f,test_slab kmalloc $(basename $(notdir $(wildcard paging/slab*.c))),$(eval $(f)_CFLAGS := -DPREEMPT_UNDER_TEST))

UNIT_NAMES := $(patsubst ci/unit/%.c,%,$(sort $(wildcard ci/unit/test_*.c)))
UNIT_TESTS := $(UNIT_NAMES:%=$(BUILD)/host/%)

$(BUILD)/host/obj/%.o: %.c ci/unit/unit.mk
	@mkdir -p $(@D)
	$(HOSTCC) $(UNIT_CFLAGS) $($(notdir $*)_CFLAGS) -MMD -MP -c $< -o $@

# The C library has functions of the same names, so those under test are called own_NAME.
$(BUILD)/host/obj/lib/string.o: lib/string.c ci/unit/unit.mk
	@mkdir -p $(@D)
	$(HOSTCC) $(UNIT_CFLAGS) -ffreestanding -MMD -MP -MT $@ -MF $(@:.o=.d) -c $< -o $@.tmp
	objcopy $(foreach f,memcpy memmove memset memcmp strlen strnlen strcmp strncmp strchr strrchr \
		strstr,--redefine-sym $(f)=own_$(f)) $@.tmp $@
	rm $@.tmp

define unit_test
$(BUILD)/host/$(1): $(patsubst %.c,$(BUILD)/host/obj/%.o,ci/unit/$(1).c $($(1)_SRCS))
	$(HOSTCC) $(UNIT_CFLAGS) $$^ -lcmocka $$($(1)_LIBS) -o $$@
endef
$(foreach name,$(UNIT_NAMES),$(eval $(call unit_test,$(name))))

# Runs all of them, also after one has failed.
.PHONY: unit
unit: $(UNIT_TESTS)
	@failed=0; for test in $^; do \
		echo "# $${test##*/}"; \
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 $$test || failed=1; \
	done; exit $$failed
