# SPDX-License-Identifier: BSD-2-Clause
#
# Unit tests: pure logic of the machine side and of the host side, on the host, under ASan and UBSan.
# A test is one file ci/unit/test_NAME.c, and a line here that names the sources under test. What they
# call of lib/ is linked from an archive, and inject() as well; what the host can't do, the test
# defines itself, or a ci/unit/stub_NAME.c does that several tests name.

# The page allocator. What it needs besides: kmap_forget(), clear_highpages(), finding(), this_cpu().
page_alloc_SRCS := $(wildcard paging/page_alloc*.c paging/buddy*.c) paging/page_lists.c \
	paging/pageblock.c paging/watermark.c paging/fragmentation.c paging/wait.c

test_ahci_SRCS := ci/unit/stub_client.c ci/unit/stub_clock.c ci/unit/stub_disk.c drivers/ata_identity.c
test_ata_SRCS := ci/unit/stub_clock.c
test_avoid_SRCS := drivers/avoid.c
test_boot_facts_SRCS := payload/early/boot_facts.c paging/memmap.c
test_bounce_pools_SRCS = $(test_dma_SRCS)
test_bounce_run_SRCS := drivers/bounce_run.c
test_boot_options_SRCS := payload/early/options.c
test_console_SRCS := drivers/console_grid.c drivers/console_font.c
test_console_write_SRCS := drivers/console.c
test_compaction_SRCS := $(page_alloc_SRCS) paging/page_owner.c paging/layout.c
test_destructive_SRCS := drivers/destructive.c
test_dma_SRCS := ci/unit/stub_dma.c $(filter-out drivers/dma_pool.c,$(wildcard drivers/dma_*.c drivers/bounce*.c)) \
	paging/wait.c
test_dma_coherent_SRCS := $(test_dma_SRCS)
test_dma_pool_SRCS := drivers/dma_pool.c
test_dma_track_SRCS := $(test_dma_SRCS)
test_elf_SRCS := loader/elf.c loader/image.c
test_fdc_SRCS := ci/unit/stub_client.c
test_fragmentation_SRCS := paging/fragmentation.c
test_highmem_SRCS := paging/highmem.c
test_ide_SRCS := ci/unit/stub_client.c ci/unit/stub_disk.c
test_kernel_SRCS := loader/kernel.c loader/header.c loader/elf.c loader/image.c
test_kmap_SRCS := paging/wait.c paging/kmap.c paging/kmap_local.c paging/layout.c
test_kmap_range_SRCS := paging/wait.c paging/layout.c
test_load_options_SRCS := loader/options.c
test_lowmem_map_SRCS := payload/tests/lowmem_map.c
test_lowmem_spent_SRCS := payload/tests/lowmem_spent.c
test_mbi_SRCS := loader/mbi.c loader/memory_map.c $(test_boot_facts_SRCS)
test_memmap_SRCS := paging/memmap.c
test_page_alloc_SRCS := ci/unit/stub_alone.c $(page_alloc_SRCS) paging/layout.c
test_page_alloc_lists_SRCS := $(page_alloc_SRCS) paging/layout.c
test_page_set_SRCS := ci/unit/stub_alone.c payload/page_set.c $(page_alloc_SRCS) paging/layout.c
test_pci_SRCS := drivers/avoid.c
test_pgtable_SRCS := paging/belief.c paging/memmap.c paging/layout.c
test_place_SRCS := loader/place.c
test_report_SRCS := payload/report.c
test_slab_SRCS := $(wildcard paging/slab*.c) paging/kmalloc.c paging/wait.c
test_trace_marks_SRCS := payload/trace.c
test_transfer_SRCS := drivers/avoid.c
test_tlb_SRCS := paging/layout.c
test_vmalloc_SRCS := paging/vmalloc.c paging/ioremap.c paging/layout.c
test_watermark_SRCS := paging/watermark.c

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

# inject.c and libgcc.c belong to the machine.
UNIT_LIB := $(BUILD)/host/lib.a
$(UNIT_LIB): $(BUILD)/host/obj/ci/unit/injected.o \
		$(patsubst %.c,$(BUILD)/host/obj/%.o,$(filter-out %/inject.c %/libgcc.c,$(sort $(wildcard lib/*.c))))
	rm -f $@
	ar rc $@ $^

define unit_test
$(BUILD)/host/$(1): $(patsubst %.c,$(BUILD)/host/obj/%.o,ci/unit/$(1).c $($(1)_SRCS)) $(UNIT_LIB)
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
