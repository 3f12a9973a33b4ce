#!/bin/sh
# vread gives up what it does not need: whoever got it to open another file, by whatever fault, would get an error.
. "$(dirname "$0")/../cli/functions.sh"

requires cc qemu-img
cat >try.c <<'EOS'
/* At each read of the source: tries to open other files, as code that was broken into would. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void try(const char *name, int flags) {
    int file = open(name, flags | O_CLOEXEC, 0600);
    const char *text = file >= 0 ? "opened " : errno == EACCES ? "refused " : "other ";
    char line[300];
    strcpy(line, text);
    strcat(line, name);
    strcat(line, "\n");
    int log = atoi(getenv("TRY_LOG"));
    if (write(log, line, strlen(line)) < 0) abort();
    if (file >= 0) close(file);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    try("/etc/passwd", O_RDONLY);
    try(getenv("TRY_SIBLING"), O_RDONLY);
    try(getenv("TRY_NEW"), O_WRONLY | O_CREAT);
    return real(fd, bytes, count, offset);
}

ssize_t pread(int fd, void *bytes, size_t count, off_t offset) { return pread64(fd, bytes, count, offset); }
EOS
cc -shared -fPIC -o try.so try.c -ldl

cp --sparse=always "$(make_disk 64M 4M)" disk.raw
mkdir images
qemu-img convert -O qcow2 disk.raw images/disk.qcow2
: >images/sibling
# The kernel's own word on whether it can: the number of the newest rules that it knows.
cat >can.c <<'EOS'
#include <sys/syscall.h>
#include <unistd.h>
int main(void) { return syscall(SYS_landlock_create_ruleset, 0, 0, 1) >= 1 ? 0 : 1; }
EOS
cc -o can can.c
./can || skip 'the kernel has no Landlock'

export TRY_LOG=9 TRY_SIBLING="$PWD/images/sibling" TRY_NEW="$PWD/images/new"
LD_PRELOAD="$PWD/try.so" vread --raw images/disk.qcow2 9>log | cmp - disk.raw
grep -q 'refused /etc/passwd' log || fail 'nothing was tried'
grep -E 'opened /etc/passwd|opened .*new' log && fail 'a foreign file was opened'
[ ! -e images/new ] || fail 'a file was made'
# Beside the image there may be its parent, until all are open.
grep -q 'opened .*sibling' log || fail 'the image could not have had a parent'
[ "$(grep sibling log | tail -n 1)" = "refused $TRY_SIBLING" ] || fail 'the folder stayed open'
grep -v sibling log | grep -v '^refused' && fail 'other errors'
exit 0
