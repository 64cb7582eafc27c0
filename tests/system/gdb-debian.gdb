# SPDX-License-Identifier: BSD-2-Clause
# What gdb is asked to do with a Debian of several vCPUs (debian-gdb*.toml). The guest has
# `while :; do sleep 1; done` in its shell, so that do_nanosleep() is met once a second.
set remotetimeout 20
set pagination off
define plinth-debian
echo === attached\n
info threads
printf "=== paging %d long mode %d\n", ($cr0 >> 31) & 1, ($efer >> 10) & 1
printf "=== banner %s\n", (char *)&linux_banner
break do_nanosleep
continue
printf "=== met by a kernel thread of %d\n", $pc == (long)&do_nanosleep
x/2i $pc
# Steps, and a step out of the breakpoint: INT3 must be out of the way and back again.
stepi
stepi 20
printf "=== stepped %d\n", $pc != (long)&do_nanosleep
continue
delete
echo === twice\n
# A word that every tick writes, on whichever vCPU keeps the time.
set $before = *(long *)&jiffies_64
watch *(long *)&jiffies_64
continue
continue
printf "=== ticks %d\n", *(long *)&jiffies_64 - $before
delete
hbreak do_nanosleep
continue
delete
# Ctrl-C, as the terminal would send it.
shell (sleep 3; kill -INT $PPID) &
continue
echo === interrupted\n
info threads
# A pause by the operator is no stop of gdb's, and the other way round.
monitor vm pause debian
monitor vm resume debian
monitor version
detach
end
