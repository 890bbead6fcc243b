# SPDX-License-Identifier: BSD-2-Clause
#
# The UEFI loader, for both kinds of firmware from one source; the GRUB ISO; the netboot folder.
#
#   LOADER_KERNEL=FILE   another Multiboot 2 kernel to embed
#   ISO_ARGS="..."       boot options of the ISO's menu entry (no single quotes)
#   NETBOOT_ARGS="..."   default boot options of the netboot folder

LOADER_KERNEL ?= $(BUILD)/paeload.elf
ISO_ARGS ?=
NETBOOT_ARGS ?=

L_SRCS := $(filter-out loader/handoff-%,$(sort $(wildcard loader/*.c loader/*.S)))
L_CFLAGS := -std=gnu11 -ffreestanding -O2 -I. -isystem /usr/include/efi \
	-DGNU_EFI_USE_MS_ABI -mgeneral-regs-only -fpic -fvisibility=hidden -fshort-wchar \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-fno-strict-aliasing -ffile-prefix-map=$(CURDIR)=. \
	-Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wshadow \
	-Wpointer-arith -Wwrite-strings

L_CC_x64 := $(if $(filter clang,$(COMPILER)),clang,gcc) -m64 -mno-red-zone -isystem /usr/include/efi/x86_64
L_LD_x64 := ld -m elf_x86_64
L_LIB_x64 := /usr/lib
L_CRT_x64 := /usr/lib/crt0-efi-x86_64.o
L_LDS_x64 := /usr/lib/elf_x86_64_efi.lds
L_PE_x64 := efi-app-x86_64

L_CC_ia32 := $(PCC) -march=i386 -isystem /usr/include/efi/ia32
L_LD_ia32 := i686-linux-gnu-ld -m elf_i386
L_LIB_ia32 := /usr/lib32
L_CRT_ia32 := /usr/lib32/crt0-efi-ia32.o
L_LDS_ia32 := /usr/lib32/elf_ia32_efi.lds
L_PE_ia32 := efi-app-ia32

# gnu-efi's way: a shared object that relocates itself, whose sections objcopy puts into a PE file.
L_SECTIONS := $(addprefix -j ,.text .sdata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc)

define loader_rules
L_OBJS_$(1) := $$(L_SRCS:loader/%=$(BUILD)/loader/$(1)/%.o) $(BUILD)/loader/$(1)/handoff-$(1).S.o

$(BUILD)/loader/$(1)/%.c.o: loader/%.c loader/loader.mk
	@mkdir -p $$(@D)
	$$(L_CC_$(1)) $$(L_CFLAGS) -MMD -MP -c $$< -o $$@

$(BUILD)/loader/$(1)/%.S.o: loader/%.S loader/loader.mk
	@mkdir -p $$(@D)
	$$(L_CC_$(1)) -I. -MMD -MP -DKERNEL_FILE='"$$(LOADER_KERNEL)"' -c $$< -o $$@

$(BUILD)/loader/$(1)/kernel-file.S.o: $$(LOADER_KERNEL) $(BUILD)/loader/kernel-path

$(BUILD)/loader/$(1)/paeload.so: $$(L_OBJS_$(1))
	$$(L_LD_$(1)) -nostdlib -znocombreloc -znoexecstack -zdefs -shared -Bsymbolic --build-id=none \
		--no-warn-rwx-segments -T $$(L_LDS_$(1)) $$(L_CRT_$(1)) $$^ -L$$(L_LIB_$(1)) -lgnuefi -o $$@

$(BUILD)/paeload-$(1).efi: $(BUILD)/loader/$(1)/paeload.so
	objcopy $$(L_SECTIONS) --target=$$(L_PE_$(1)) --subsystem=efi-app $$< $$@
endef

$(eval $(call loader_rules,x64))
$(eval $(call loader_rules,ia32))

# A file that holds a variable's value and is touched only when that changes. The value travels by
# the environment, so that no character in it means anything to a shell.
.PHONY: loader-always
$(BUILD)/loader/kernel-path: export VALUE_NOW = $(LOADER_KERNEL)
$(BUILD)/loader/iso-args: export VALUE_NOW = $(ISO_ARGS)
$(BUILD)/loader/netboot-args: export VALUE_NOW = $(NETBOOT_ARGS)
$(addprefix $(BUILD)/loader/,kernel-path iso-args netboot-args): loader-always
	@mkdir -p $(@D)
	@printf '%s\n' "$$VALUE_NOW" | cmp -s - $@ || printf '%s\n' "$$VALUE_NOW" >$@

# Copies a file; its line that begins with $(1) becomes $(1)$(2), the first line of file $(4), $(3).
loader_bake = awk -v head="$(1)" -v before="$(2)" -v after="$(3)" -v file=$(4) \
	'BEGIN { getline args <file } \
	 index($$0, head) == 1 && args != "" { $$0 = head before args after } { print }'

$(BUILD)/iso/boot/grub/grub.cfg: loader/grub.cfg $(BUILD)/loader/iso-args loader/loader.mk
	@mkdir -p $(@D)
	$(call loader_bake,set args=,',',$(BUILD)/loader/iso-args) $< >$@

$(BUILD)/iso/boot/paeload.elf: $(BUILD)/paeload.elf
	@mkdir -p $(@D)
	cp $< $@

# The ISO starts by BIOS and by both kinds of UEFI, from a disc or copied to a USB stick. grub-mkrescue
# would make one too, but five times as big and never twice the same: it bakes in the time of day.
# Here every date is SOURCE_DATE_EPOCH (by default the first that FAT can tell).
# -r makes owners and modes the same whoever builds. A platform whose GRUB is not installed is left out.
SOURCE_DATE_EPOCH ?= 315532800
L_DATED := TZ=UTC SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH)
L_DATE := $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y%m%d%H%M%S00)
L_GRUB := /usr/lib/grub
L_GRUB_MODULES := boot cat configfile echo halt iso9660 ls lsmmap multiboot multiboot2 normal part_gpt \
	part_msdos reboot search search_fs_file serial sleep test all_video
L_GRUB_BIOS := $(if $(wildcard $(L_GRUB)/i386-pc),$(BUILD)/iso/boot/grub/bios.img)
L_GRUB_EFI := $(if $(wildcard $(L_GRUB)/x86_64-efi),$(BUILD)/loader/grub/bootx64.efi) \
	$(if $(wildcard $(L_GRUB)/i386-efi),$(BUILD)/loader/grub/bootia32.efi)
L_MKIMAGE = grub-mkimage -p /boot/grub -c $(BUILD)/loader/grub/early.cfg -o $@

# GRUB's first parser knows no comments.
$(BUILD)/loader/grub/early.cfg: loader/grub-early.cfg loader/loader.mk
	@mkdir -p $(@D)
	grep -v '^#' $< >$@

$(BUILD)/iso/boot/grub/bios.img: $(BUILD)/loader/grub/early.cfg
	@mkdir -p $(@D)
	$(L_MKIMAGE) -O i386-pc-eltorito biosdisk $(L_GRUB_MODULES)

$(BUILD)/loader/grub/bootx64.efi: $(BUILD)/loader/grub/early.cfg
	@mkdir -p $(@D)
	$(L_MKIMAGE) -O x86_64-efi $(L_GRUB_MODULES)

$(BUILD)/loader/grub/bootia32.efi: $(BUILD)/loader/grub/early.cfg
	@mkdir -p $(@D)
	$(L_MKIMAGE) -O i386-efi $(L_GRUB_MODULES)

# A floppy's file system: what UEFI looks for on a disc or stick.
$(BUILD)/iso/boot/grub/efi.img: $(L_GRUB_EFI)
	@rm -f $@
	$(L_DATED) mformat -C -i $@ -f 2880 -N 0 ::
	$(L_DATED) mmd -i $@ ::efi ::efi/boot
	$(L_DATED) mcopy -i $@ $^ ::efi/boot

$(BUILD)/paeload.iso: $(BUILD)/iso/boot/grub/grub.cfg $(BUILD)/iso/boot/paeload.elf $(L_GRUB_BIOS) \
		$(if $(strip $(L_GRUB_EFI)),$(BUILD)/iso/boot/grub/efi.img)
	$(L_DATED) xorriso -as mkisofs -quiet -r -V PAELOAD -o $@ \
		--set_all_file_dates $(L_DATE) \
		$(if $(L_GRUB_BIOS),-b boot/grub/bios.img -no-emul-boot -boot-load-size 4 \
			-boot-info-table --grub2-boot-info --grub2-mbr $(L_GRUB)/i386-pc/boot_hybrid.img) \
		$(if $(strip $(L_GRUB_EFI)),--efi-boot boot/grub/efi.img -efi-boot-part --efi-boot-image \
			--protective-msdos-label) \
		$(BUILD)/iso >$(BUILD)/loader/iso.log 2>&1 || { cat $(BUILD)/loader/iso.log; exit 1; }

.PHONY: netboot
L_NETBOOT := $(BUILD)/netboot
netboot: $(L_NETBOOT)/paeload-x64.efi $(L_NETBOOT)/paeload-ia32.efi $(L_NETBOOT)/paeload.elf $(L_NETBOOT)/boot.ipxe $(L_NETBOOT)/README.md

$(L_NETBOOT)/%.efi: $(BUILD)/%.efi
	@mkdir -p $(@D)
	cp $< $@

$(L_NETBOOT)/paeload.elf: $(BUILD)/paeload.elf
	@mkdir -p $(@D)
	cp $< $@

$(L_NETBOOT)/boot.ipxe: loader/boot.ipxe $(BUILD)/loader/netboot-args loader/loader.mk
	@mkdir -p $(@D)
	$(call loader_bake,set default-args, ,,$(BUILD)/loader/netboot-args) $< >$@

$(L_NETBOOT)/README.md: loader/netboot.md
	@mkdir -p $(@D)
	cp $< $@
