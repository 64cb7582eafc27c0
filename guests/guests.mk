# SPDX-License-Identifier: BSD-2-Clause
# The bundled guests: every guests/NAME/ with a main.c becomes build/guests/NAME.elf (PVH ELF),
# every guests/NAME/ with a boot.S becomes build/guests/NAME.bin (flat, real mode). A folder's other
# .c files are linked in, and guests/lib into every PVH guest. Included by the Makefile.

GUEST_ELF := $(patsubst guests/%/main.c,$(B)/guests/%.elf,$(sort $(wildcard guests/*/main.c)))
GUEST_BIN := $(patsubst guests/%/boot.S,$(B)/guests/%.bin,$(sort $(wildcard guests/*/boot.S)))

# What is of use to a guest in the hypervisor's own PURE library is compiled once more for guests.
GUEST_LIB_SRC := $(sort $(wildcard guests/lib/*.c)) core/lib/fmt.c core/lib/string.c
GUEST_LIB := $(GUEST_LIB_SRC:%.c=$(B)/guests/obj/%.o) $(B)/guests/obj/guests/lib/start.S.o
guest_src = $(sort $(wildcard guests/$(1)/*.c))
guest_obj = $(patsubst %.c,$(B)/guests/obj/%.o,$(call guest_src,$(1)))

guests: $(GUEST_ELF) $(GUEST_BIN) ## build the bundled guests

$(B)/guests/obj/%.o: %.c | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS_GUEST) -Iguests $(CFLAGS_$(subst /,_,$*)) -MMD -MP -c -o $@ $<

$(B)/guests/obj/%.S.o: %.S | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(CFLAGS_GUEST) -Iguests -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

LDFLAGS_GUEST := -nostdlib -static -z max-page-size=4096 -z noexecstack --gc-sections \
	--build-id=none --no-warn-rwx-segments

define GUEST_ELF_RULE
$(B)/guests/$(1).elf: $(call guest_obj,$(1)) $(GUEST_LIB) guests/lib/guest.ld
	$$(call say,LD,$$@)ld $(LDFLAGS_GUEST) -T guests/lib/guest.ld -o $$@ $(call guest_obj,$(1)) $(GUEST_LIB)
-include $(patsubst %.o,%.d,$(call guest_obj,$(1)))
endef
$(foreach g,$(GUEST_ELF:$(B)/guests/%.elf=%),$(eval $(call GUEST_ELF_RULE,$(g))))

$(B)/guests/%.bin: $(B)/guests/obj/guests/%/boot.S.o guests/lib/flat.ld
	$(call say,LD,$@)ld -m elf_i386 -nostdlib -static -z noexecstack --build-id=none -T guests/lib/flat.ld \
	  -o $(@:.bin=.flat.elf) $<
	$(Q)objcopy -O binary $(@:.bin=.flat.elf) $@

$(B)/guests/obj/guests/%/boot.S.o: guests/%/boot.S | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) -m32 -ffreestanding -I. -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

-include $(GUEST_LIB:.o=.d) $(GUEST_BIN:$(B)/guests/%.bin=$(B)/guests/obj/guests/%/boot.S.d)
