# SPDX-License-Identifier: BSD-2-Clause
#
# Code of the machine against models of it, at random and by a fuzzer (ci/model/, ci/fuzz/): kmap()
# and kmap_local_page(), the DMA mapping layer, and the page allocator.
#
#   build/host/kmap_model, dma_model, page_model [seed=N] [ops=N] [broken=MUTATION] [replay=FILE]
#
# A model M is ci/model/M_model.h and the files of M_MODEL_SRCS; the code under test is in the units of
# M_MODEL_UNDER_TEST, which alone are compiled with a call before each access to memory; those of
# M_MODEL_LAYER are compiled with M_MODEL_LAYER_CFLAGS.

MODELS := kmap dma page

kmap_MODEL_UNDER_TEST := ci/model/under_test.c
kmap_MODEL_SRCS := ci/model/kmap_model.c ci/model/kmap_threads.c ci/model/kmap_moves.c \
	ci/model/kmap_check.c ci/model/kmap_ops.c ci/model/processor.c ci/model/access.c \
	$(kmap_MODEL_UNDER_TEST) paging/layout.c
kmap_MODEL_CFLAGS := -DLAST_PKMAP=4u -DKMAP_LOCAL_DEPTH=4u -DKMAP_LOCAL_UNDER_TEST \
	-DPREEMPT_UNDER_TEST
kmap_MODEL_OPS := 8000000u

dma_MODEL_UNDER_TEST := ci/model/dma_calls.c $(wildcard drivers/dma_*.c drivers/bounce*.c)
dma_MODEL_SRCS := ci/model/dma_model.c ci/model/dma_maps.c ci/model/dma_moves.c ci/model/dma_bytes.c \
	ci/model/dma_slots.c ci/model/dma_lists.c \
	ci/model/dma_blocks.c ci/model/dma_ops.c ci/model/dma_machine.c \
	ci/model/access.c $(dma_MODEL_UNDER_TEST) lib/crc32c.c lib/bitmap.c lib/format.c paging/wait.c
dma_MODEL_CFLAGS := -DDMA_NR_BUCKETS=16u -DDMA_NR_ENTRIES=24u -DBOUNCE_GRANULE_PAGES=8u \
	-DBOUNCE_LOW_ORDER=3u -DBOUNCE_WIDE_ORDER=3u -DBOUNCE_MIN_ORDER=3u \
	"-DBOUNCE_LOW_LIMIT=KIB(64)" "-DBOUNCE_WIDE_LIMIT=KIB(32)"
dma_MODEL_LAYER := $(dma_MODEL_UNDER_TEST)
dma_MODEL_LAYER_CFLAGS := -include ci/model/dma_layer.h
dma_MODEL_OPS := 2000000u

page_MODEL_UNDER_TEST := paging/page_alloc.c paging/page_alloc_slow.c paging/slab.c ci/model/slab_calls.c
page_MODEL_LAYER := ci/model/slab_calls.c $(wildcard paging/slab*.c) paging/kmalloc.c
page_MODEL_SRCS := ci/model/page_model.c ci/model/page_moves.c ci/model/page_hooks.c \
	ci/model/page_rules.c ci/model/page_check.c ci/model/page_machine.c ci/model/page_ops.c \
	ci/model/page_slab.c ci/model/page_objects.c ci/model/page_slab_ops.c ci/model/page_others.c ci/model/access.c $(page_MODEL_LAYER) \
	$(page_alloc_SRCS) paging/compaction.c paging/shrinker.c paging/page_owner.c paging/layout.c \
	lib/prng.c lib/bitmap.c
page_MODEL_CFLAGS := -DMAX_ORDER=5u -DLIST_PAGES=16u -DPREEMPT_UNDER_TEST "-DZONE_DMA_END=phys_make(MIB64(1))"
page_MODEL_LAYER_CFLAGS := -DSLAB_UNDER_TEST -include ci/model/slab_layer.h
page_MODEL_OPS := 1000000u

MODEL_CC := clang
MODEL_CFLAGS := -std=gnu11 -g -I. -fno-strict-aliasing -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-sign-compare
MODEL_ACCESSES := -fsanitize-coverage=trace-pc-guard,trace-loads,trace-stores
MODEL_SANITIZE := -DMODEL_SANITIZED=1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODEL_SHARED_SRCS := ci/model/broke.c ci/model/choice.c ci/model/op.c
MODEL_SEARCH_SRCS := ci/model/search.c ci/model/shrink.c lib/prng.c

MODEL_FLAGS_fast := -O2
MODEL_FLAGS_asan := -O1 $(MODEL_SANITIZE)
MODEL_FLAGS_fuzz := -O1 -DMODEL_SANITIZED=1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
MODEL_ACCESSES_fast := $(MODEL_ACCESSES)
MODEL_ACCESSES_asan := $(MODEL_ACCESSES)
MODEL_ACCESSES_fuzz := -fsanitize-coverage=trace-loads,trace-stores

# Objects of model $(1), with the flags of $(2): fast, asan or fuzz.
define model_objects
$(BUILD)/host/model-$(1)-$(2)/%.o: %.c ci/model.mk
	@mkdir -p $$(@D)
	$(MODEL_CC) $(MODEL_CFLAGS) $($(1)_MODEL_CFLAGS) $(MODEL_FLAGS_$(2)) \
		-DMODEL_HEADER='"ci/model/$(1)_model.h"' \
		$$(if $$(filter $$($(1)_MODEL_UNDER_TEST),$$<),$$(MODEL_ACCESSES_$(2))) \
		$$(if $$(filter $$($(1)_MODEL_LAYER),$$<),$$($(1)_MODEL_LAYER_CFLAGS)) \
		$$(MODEL_MORE_CFLAGS) -MMD -MP -c $$< -o $$@
endef

# The model by hand, its test, twice: with sanitizers, and longer without, and the fuzzer.
define model
$(foreach f,fast asan fuzz,$(eval $(call model_objects,$(1),$(f))))

$(BUILD)/host/$(1)_model: $(patsubst %.c,$(BUILD)/host/model-$(1)-fast/%.o,ci/model/main.c $($(1)_MODEL_SRCS) $(MODEL_SHARED_SRCS) $(MODEL_SEARCH_SRCS))
	$(MODEL_CC) $$^ -o $$@

$(foreach f,fast asan,
$(BUILD)/host/test_$(1)_model_$(f): $(patsubst %.c,$(BUILD)/host/model-$(1)-$(f)/%.o,ci/model/test_$(1)_model.c ci/model/model_test.c ci/model/mutation.c $($(1)_MODEL_SRCS) $(MODEL_SHARED_SRCS) $(MODEL_SEARCH_SRCS))
	$(MODEL_CC) $(MODEL_FLAGS_$(f)) $$^ -lcmocka -o $$@
)
$(BUILD)/host/model-$(1)-fast/ci/model/test_$(1)_model.o: MODEL_MORE_CFLAGS := -DMODEL_OPS=$($(1)_MODEL_OPS)

$(BUILD)/host/fuzz_$(1): $(patsubst %.c,$(BUILD)/host/model-$(1)-fuzz/%.o,ci/fuzz/fuzz.c $($(1)_MODEL_SRCS) $(MODEL_SHARED_SRCS))
	$(MODEL_CC) -fsanitize=fuzzer,address,undefined $$^ -o $$@
endef
$(foreach m,$(MODELS),$(eval $(call model,$(m))))

MODEL_TESTS := $(foreach m,$(MODELS),$(foreach f,fast asan,$(BUILD)/host/test_$(m)_model_$(f)))
UNIT_TESTS += $(MODEL_TESTS)
unit: $(MODEL_TESTS)

# The fuzzers.
#
#   make fuzz [FUZZ=kmap] [FUZZ_SECONDS=60]   looks for new sequences, from ci/fuzz/corpus/ on
FUZZ := $(MODELS)
FUZZ_SECONDS ?= 60
FUZZERS := $(MODELS:%=$(BUILD)/host/fuzz_%)

.PHONY: fuzz $(MODELS:%=fuzz-%)
fuzz: $(FUZZ:%=fuzz-%)
$(MODELS:%=fuzz-%): fuzz-%: $(BUILD)/host/fuzz_%
	@mkdir -p $(BUILD)/fuzz/$*
	cd $(BUILD)/fuzz && $(abspath $<) -max_total_time=$(FUZZ_SECONDS) -max_len=600 $* $(abspath ci/fuzz/corpus/$*)

# What check.sh wants for $(1): a mutation, and what the fuzzer says of it.
kmap_FUZZ_PLANTED := kmap_local_lose_half "short window"
dma_FUZZ_PLANTED := sg_merge_over_boundary "segments"
page_FUZZ_PLANTED := buddy_skip_merge "free block of order" 2
fuzz_check = sh ci/fuzz/check.sh $(BUILD)/host/fuzz_$(1) ci/fuzz/corpus/$(1) \
	$(BUILD)/test/fuzz-$(1) $($(1)_FUZZ_PLANTED)
