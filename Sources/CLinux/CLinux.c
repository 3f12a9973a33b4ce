#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

void cl_hold_standard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        /* The lowest free number is this one. Opened the other way round: whoever uses it gets an error. */
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) return;
    }
}

int cl_block_device_size(int fd, uint64_t *size) { return ioctl(fd, BLKGETSIZE64, size); }

int cl_block_device_sector_size(int fd, uint32_t *size) {
    int value = 0;
    if (ioctl(fd, BLKSSZGET, &value) != 0) return -1;
    *size = (uint32_t)value;
    return 0;
}

int cl_set_pipe_size(int fd, int size) { return fcntl(fd, F_SETPIPE_SZ, size); }
off_t cl_seek_data(int fd, off_t offset) { return lseek(fd, offset, SEEK_DATA); }
off_t cl_seek_hole(int fd, off_t offset) { return lseek(fd, offset, SEEK_HOLE); }

int cl_punch_hole(int fd, off_t offset, off_t length) {
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int cl_zero_range(int fd, off_t offset, off_t length) {
    return fallocate(fd, FALLOC_FL_ZERO_RANGE, offset, length);
}

int cl_rename_no_replace(const char *from, const char *to) {
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    /* A file system without the flag: link and unlink give the same promise for files. */
    if (link(from, to) != 0) return -1;
    return unlink(from);
}

int cl_open_beneath(int folder, const char *path, int flags, mode_t permissions) {
    struct open_how how = {
        .flags = (unsigned)flags,
        .mode = flags & O_CREAT ? permissions : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

int cl_rename_in_folder(int folder, const char *from, const char *to) {
    if (renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    if (linkat(folder, from, folder, to, 0) != 0) return -1;
    return unlinkat(folder, from, 0);
}

int cl_set_attribute(int fd, const char *name, const void *value, size_t count) {
    return fsetxattr(fd, name, value, count, 0);
}

int cl_set_link_attribute(const char *path, const char *name, const void *value, size_t count) {
    return lsetxattr(path, name, value, count, 0);
}

const long cl_utime_omit = UTIME_OMIT;
int cl_sync_file_system(int fd) { return syncfs(fd); }

int cl_start_writeback(int fd, off_t offset, off_t length) {
    return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

int cl_is_on_local_disk(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return 0;
    if (S_ISBLK(status.st_mode)) return 1;
    struct statfs info;
    if (!S_ISREG(status.st_mode) || fstatfs(fd, &info) != 0) return 0;
    switch ((unsigned long)info.f_type) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case BTRFS_SUPER_MAGIC: return 1;
    default: return 0;
    }
}

const int cl_o_direct = O_DIRECT;

int cl_set_direct(int fd, int direct) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}

int cl_lock(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int cl_is_regular(mode_t mode) { return S_ISREG(mode); }
int cl_is_block_device(mode_t mode) { return S_ISBLK(mode); }
int cl_is_character_device(mode_t mode) { return S_ISCHR(mode); }
int cl_is_directory(mode_t mode) { return S_ISDIR(mode); }
int cl_is_fifo(mode_t mode) { return S_ISFIFO(mode); }

int cl_free_bytes(int fd, uint64_t *bytes) {
    struct statvfs info;
    if (fstatvfs(fd, &info) != 0) return -1;
    *bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return 0;
}

int cl_random(void *bytes, size_t n) {
    unsigned char *p = bytes;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            return -1;
        }
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

/* Paths of temporary files, so that a signal leaves none behind. A slot is free when its
   first byte is 0; that byte is written last and cleared first, so the handler, which may
   run at any moment, sees either a whole path or none. */
enum { cleanup_slots = 8, cleanup_length = 4096 };
static char cleanup_paths[cleanup_slots][cleanup_length];

/* A file of stdout's that is written in place, and a second descriptor of it; -1 for none. */
static volatile sig_atomic_t emptied_file = -1, emptied_copy = -1;

static void empty_file(void) {
    int file = emptied_file, copy = emptied_copy;
    if (file < 0) return;
    /* Other threads may be about to write: from now on, to nowhere. */
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) dup2(nowhere, file);
    (void)!ftruncate(copy, 0);
    /* A write that had begun before then may end after it. */
    poll(NULL, 0, 20);
    (void)!ftruncate(copy, 0);
}

/* Whether this thread writes to somebody whose absence does not matter. */
static _Thread_local volatile sig_atomic_t is_telling;

static void clean_up_and_die(int number) {
    if (number == SIGPIPE && is_telling) return;
    for (int i = 0; i < cleanup_slots; i++)
        if (cleanup_paths[i][0] != 0) unlink(cleanup_paths[i]);
    empty_file();
    signal(number, SIG_DFL);
    raise(number);
}

void cl_install_cleanup(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = clean_up_and_die}, old;
        sigemptyset(&action.sa_mask);
        /* A signal that our caller ignores (nohup) stays ignored. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN) continue;
        sigaction(numbers[i], &action, NULL);
    }
}

int cl_register_cleanup(const char *path) {
    size_t length = strlen(path);
    if (length == 0 || length >= cleanup_length) return -1;
    for (int i = 0; i < cleanup_slots; i++) {
        if (cleanup_paths[i][0] != 0) continue;
        memcpy(cleanup_paths[i] + 1, path + 1, length);
        __atomic_store_n(&cleanup_paths[i][0], path[0], __ATOMIC_RELEASE);
        return i;
    }
    return -1;
}

void cl_forget_cleanup(int slot) {
    if (slot >= 0 && slot < cleanup_slots)
        __atomic_store_n(&cleanup_paths[slot][0], 0, __ATOMIC_RELEASE);
}

int cl_empty_on_death(int fd) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return -1;
    emptied_copy = copy;
    emptied_file = fd;
    return 0;
}

void cl_keep_on_death(void) {
    if (emptied_file < 0) return;
    emptied_file = -1;
    close(emptied_copy);
    emptied_copy = -1;
}

int cl_begin_telling(int fd) {
    struct pollfd state = {.fd = fd, .events = POLLOUT};
    if (poll(&state, 1, 0) != 1 || !(state.revents & POLLOUT)) return 0;
    is_telling = 1;
    return 1;
}

void cl_end_telling(void) { is_telling = 0; }

static volatile sig_atomic_t progress_wanted;
static void note_progress(int number) {
    (void)number;
    progress_wanted = 1;
}

void cl_install_progress_signal(void) {
    struct sigaction action = {.sa_handler = note_progress, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
}

int cl_take_progress_signal(void) {
    int wanted = progress_wanted;
    progress_wanted = 0;
    return wanted;
}

void cl_error_text(int code, char *text, size_t n) {
    const char *message = strerror_r(code, text, n);
    if (message != text) snprintf(text, n, "%s", message);
}

int cl_terminal_width(int fd) {
    struct winsize size;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* The rights that the kernel's Landlock knows: thirteen at first; moving between folders came with
   version 2, truncating with 3. 0 with errno where there is none. */
static uint64_t sandbox_rights(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return 0;
    return (1ull << (version >= 3 ? 15 : version == 2 ? 14 : 13)) - 1;
}

int cl_sandbox_begin(void) {
    struct landlock_ruleset_attr rules = {.handled_access_fs = sandbox_rights()};
    if (!rules.handled_access_fs) return -1;
    return (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules.handled_access_fs, 0);
}

/* Devices and sockets are never made, and nothing is run. */
static const uint64_t sandbox_writing =
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | 1ull << 13 | 1ull << 14;

static int sandbox_allow(int rules, const char *path, int writing) {
    struct landlock_path_beneath_attr beneath = {0};
    struct stat status;
    beneath.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (beneath.parent_fd < 0) return -1;
    int result = fstat(beneath.parent_fd, &status);
    if (result == 0) {
        beneath.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
        if (S_ISDIR(status.st_mode)) beneath.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
        if (writing) beneath.allowed_access = sandbox_writing & sandbox_rights();
        result = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    }
    int code = errno;
    close(beneath.parent_fd);
    errno = code;
    return result;
}

int cl_sandbox_allow_reading(int rules, const char *path) { return sandbox_allow(rules, path, 0); }
int cl_sandbox_allow_writing(int rules, const char *path) { return sandbox_allow(rules, path, 1); }

int cl_sandbox_enforce(int rules) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return (int)syscall(SYS_landlock_restrict_self, rules, 0);
}
