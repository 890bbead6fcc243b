# SPDX-License-Identifier: BSD-2-Clause
#
# sparse over everything: kinds of address that are mixed (lib/address.h), and whatever else it warns
# of. Silent, or an error.
#
#   make sparse              the tree; part of `make test`
#   make sparse-file FILE=   one file, as if it were a source of the payload
#   make sparse-planted      what is wrong in ci/static/planted/sparse-*.c is found, all of it

# All warnings, but for:
#   declaration-after-statement  C11 has them
#   flexible-array-sizeof        sizes of Multiboot tags and ACPI tables are meant so
#   universal-initializer        {0} is C's way to clear a structure
#   non-pointer-null             0 is a physical address, and phys_addr_t a pointer here
#   pointer-to-int-cast, int-to-pointer-cast   see -m64; gcc watches them with the real sizes
#   ptr-subtraction-blows        says that a division is slow, nothing else
#   unknown-attribute            the C library's, by the hundred
SPARSE_WARNINGS := -Wsparse-all -Wsparse-error -Wno-declaration-after-statement \
	-Wno-flexible-array-sizeof -Wno-universal-initializer -Wno-non-pointer-null \
	-Wno-pointer-to-int-cast -Wno-int-to-pointer-cast -Wno-ptr-subtraction-blows \
	-Wno-unknown-attribute
SPARSE = sparse -std=gnu11 -I. -fmax-warnings=unlimited $(SPARSE_WARNINGS)

# A physical address is a pointer for sparse, and has 64 bits: hence -m64, also for the payload.
SPARSE_PAYLOAD = -m64 -ffreestanding -nostdinc -isystem $(shell $(PCC) -print-file-name=include) \
	-include ci/static/sparse.h
# The UEFI headers ask for an undefined EFI_DEBUG and write 64-bit constants without a suffix.
SPARSE_LOADER := -m64 -ffreestanding -fshort-wchar -isystem /usr/include/efi \
	-isystem /usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI -Wno-undef -Wno-constant-suffix
# math.h asks how the compiler evaluates; regex.h gives a parameter's array another parameter as its
# size, which sparse does not know. With _GNU_SOURCE, socket.h has unions that are transparent to gcc only.
SPARSE_HOST = $(XML_CFLAGS) '-D_REGEX_NELTS(n)=' -D__FLT_EVAL_METHOD__=0
SPARSE_SOCKETS := ci/runner/qmp.c

# Tests of the machine side on the host are left out, as unit tests are: they make addresses as they like.
SPARSE_P_SRCS := $(filter %.c,$(P_SRCS))
SPARSE_L_SRCS := $(filter %.c,$(L_SRCS))
SPARSE_H_SRCS := $(sort $(wildcard ci/*.c ci/*/*.c))
SPARSE_H_SRCS := $(filter-out ci/unit/% ci/model/% ci/fuzz/% ci/static/%,$(SPARSE_H_SRCS))

# $(1): options, $(2): files. All files are looked at before one fails the rule.
sparse_all = @failed=0; for file in $(2); do $(SPARSE) $(1) $$file || failed=1; done; exit $$failed

.PHONY: sparse sparse-file
sparse:
	$(call sparse_all,$(SPARSE_PAYLOAD),$(SPARSE_P_SRCS))
	$(call sparse_all,$(SPARSE_LOADER),$(SPARSE_L_SRCS))
	$(call sparse_all,$(SPARSE_HOST) -D_GNU_SOURCE,$(filter-out $(SPARSE_SOCKETS),$(SPARSE_H_SRCS)))
	$(call sparse_all,$(SPARSE_HOST) -D_DEFAULT_SOURCE,$(SPARSE_SOCKETS))

sparse-file:
	$(call sparse_all,$(SPARSE_PAYLOAD),$(FILE))

# Each planted fault is reported, at its line, and nothing else is.
SPARSE_PLANTED := $(wildcard ci/static/planted/sparse-*.c)
.PHONY: sparse-planted
sparse-planted:
	@mkdir -p $(BUILD)/test
	@grep -n 'PLANTED' $(SPARSE_PLANTED) | cut -d: -f1,2 | sort >$(BUILD)/test/sparse-wanted
	@$(MAKE) -s --no-print-directory sparse-file FILE='$(SPARSE_PLANTED)' 2>&1 | \
		sed -n 's/^\([^: ]*:[0-9]*\):[0-9]*: \(error\|warning\): .*/\1/p' | sort -u | \
		diff $(BUILD)/test/sparse-wanted -
