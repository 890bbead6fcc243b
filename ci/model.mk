# SPDX-License-Identifier: BSD-2-Clause
#
# kmap() and kmap_local_page() against a model, at random and by a fuzzer (ci/model/, ci/fuzz/).
#
#   build/host/kmap_model [seed=N] [ops=N] [broken=MUTATION] [replay=FILE]

MODEL_CC := clang
MODEL_SIZES := -DLAST_PKMAP=4u -DKMAP_LOCAL_DEPTH=4u -DKMAP_LOCAL_UNDER_TEST -DPREEMPT_UNDER_TEST
MODEL_CFLAGS := -std=gnu11 -g -I. -fno-strict-aliasing -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-sign-compare $(MODEL_SIZES)
# A call before each access to memory, for the code under test alone.
MODEL_ACCESSES := -fsanitize-coverage=trace-pc-guard,trace-loads,trace-stores
MODEL_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
MODEL_SRCS := ci/model/kmap_model.c ci/model/kmap_ops.c ci/model/processor.c ci/model/search.c \
	ci/model/shrink.c ci/model/under_test.c paging/layout.c lib/prng.c

MODEL_FLAGS_fast := -O2
MODEL_FLAGS_asan := -O1 $(MODEL_SANITIZE)

define model_objects
$(BUILD)/host/model-$(1)/%.o: %.c ci/model.mk
	@mkdir -p $$(@D)
	$(MODEL_CC) $$(MODEL_CFLAGS) $(MODEL_FLAGS_$(1)) \
		$$(if $$(filter %/under_test.c,$$<),$$(MODEL_ACCESSES)) -MMD -MP -c $$< -o $$@
endef
$(foreach f,fast asan,$(eval $(call model_objects,$(f))))

$(BUILD)/host/kmap_model: $(patsubst %.c,$(BUILD)/host/model-fast/%.o,ci/model/main.c $(MODEL_SRCS))
	$(MODEL_CC) $^ -o $@

# The test, twice: with sanitizers, and longer without.
define model_test
$(BUILD)/host/test_kmap_model_$(1): $(patsubst %.c,$(BUILD)/host/model-$(1)/%.o,ci/model/test_kmap_model.c $(MODEL_SRCS))
	$(MODEL_CC) $(MODEL_FLAGS_$(1)) $$^ -lcmocka -o $$@
endef
$(foreach f,fast asan,$(eval $(call model_test,$(f))))
$(BUILD)/host/model-fast/ci/model/test_kmap_model.o: MODEL_CFLAGS += -DMODEL_OPS=8000000u
MODEL_TESTS := $(BUILD)/host/test_kmap_model_fast $(BUILD)/host/test_kmap_model_asan
UNIT_TESTS += $(MODEL_TESTS)
unit: $(MODEL_TESTS)

# The fuzzer.
#
#   make fuzz [FUZZ_SECONDS=60]   looks for new sequences, from ci/fuzz/corpus/kmap
FUZZ := $(BUILD)/host/fuzz_kmap
FUZZ_SECONDS ?= 60
FUZZ_CORPUS := ci/fuzz/corpus/kmap
MODEL_FLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
$(eval $(call model_objects,fuzz))
$(BUILD)/host/model-fuzz/ci/model/under_test.o: MODEL_ACCESSES := -fsanitize-coverage=trace-loads,trace-stores
$(FUZZ): $(patsubst %.c,$(BUILD)/host/model-fuzz/%.o,ci/fuzz/fuzz_kmap.c $(filter-out ci/model/search.c ci/model/shrink.c lib/prng.c,$(MODEL_SRCS)))
	$(MODEL_CC) -fsanitize=fuzzer,address,undefined $^ -o $@

.PHONY: fuzz
fuzz: $(FUZZ)
	@mkdir -p $(BUILD)/fuzz/kmap
	cd $(BUILD)/fuzz && $(abspath $(FUZZ)) -max_total_time=$(FUZZ_SECONDS) -max_len=600 kmap $(abspath $(FUZZ_CORPUS))

FUZZ_CHECK = sh ci/fuzz/check.sh $(FUZZ) $(FUZZ_CORPUS) $(BUILD)/test/fuzz kmap_local_lose_half \
	"short window"
