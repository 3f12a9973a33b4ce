/* killat: runs a command and lets something go wrong at exactly one of its changes to files.
 *
 *   killat [OPTION...] [ACTION] COMMAND...
 *
 * Every system call that changes a file, a name or what is on the disk is an event. Events are numbered from 1
 * over all threads and children of the command, in the order in which they are about to happen. A seccomp filter
 * stops the command at these calls only, so the rest runs at full speed.
 *
 *   -c             count the events (the default)
 *   -k N           kill the process with SIGKILL before event N happens
 *   -K N           kill the command and all its descendants
 *   -e ERRNO N     event N fails with this error, once: EIO, ENOSPC, ...
 *   -E ERRNO N     so does every later one (full-disk errors spare calls that free space)
 *   -s N           event N writes only half of its bytes
 *   -d N           event N is not performed and reports success: a lying disk, or a forgotten call
 *   -D CLASS       no event of this class is performed, all report success
 *
 *   -u DIR         only events that touch DIR or what is below it (may be given several times)
 *   -C CLASS,...   only events of these classes: write open name remove fsync dirfsync mode close;
 *                  sync means fsync and dirfsync
 *   -o FILE        write the report there, not to stderr
 *   -v             report each event: number, process, class, call, path
 *
 * The report ends with "events N", and with "done N" or "not reached" when an action was asked for. The exit
 * status is the command's, 128+N after signal N, 125 when killat itself fails. Closing counts only with -C close.
 *
 * Blind spots, reported as "blind" lines: io_uring and shared writable mappings. The command runs with
 * no_new_privs. Linux 5.3 or later on x86-64 or arm64.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "killat knows x86-64 and arm64"
#endif

enum class { WRITE = 1, OPEN = 2, NAME = 4, REMOVE = 8, FSYNC = 16, DIRFSYNC = 32, MODE = 64, CLOSE = 128, BLIND = 256 };

static const struct {
  const char *name;
  unsigned classes;
} class_names[] = {
    {"write", WRITE}, {"open", OPEN},         {"name", NAME}, {"remove", REMOVE}, {"fsync", FSYNC},
    {"mode", MODE},   {"dirfsync", DIRFSYNC}, {"close", CLOSE}, {"blind", BLIND}, {"sync", FSYNC | DIRFSYNC},
};

/* A place that a call touches: `fd` and `path` are argument numbers. */
#define NONE (-1)
#define HERE (-2) /* relative to the working directory */
struct place {
  int fd, path;
};

struct call {
  long number;
  const char *name;
  unsigned class;
  struct place first, second;
  int length;                                /* argument with the byte count, or NONE */
  struct condition { int argument; uint32_t bits; bool equal; } conditions[2];
};

#define ON(fd) {fd, NONE}, {NONE, NONE}
#define AT(fd, path) {fd, path}, {NONE, NONE}
#define CREATES (O_CREAT | O_TRUNC | 020000000 /* O_TMPFILE without O_DIRECTORY */)
#define ALWAYS {{NONE, 0, 0}, {NONE, 0, 0}}
#define WITH(argument, bits) {{argument, bits, 0}, {NONE, 0, 0}}
#define EQUAL(argument, bits) {{argument, bits, 1}, {NONE, 0, 0}}

static const struct call calls[] = {
    {SYS_write, "write", WRITE, ON(0), 2, ALWAYS},
    {SYS_pwrite64, "pwrite64", WRITE, ON(0), 2, ALWAYS},
    {SYS_writev, "writev", WRITE, ON(0), 2, ALWAYS},
    {SYS_pwritev, "pwritev", WRITE, ON(0), 2, ALWAYS},
    {SYS_pwritev2, "pwritev2", WRITE, ON(0), 2, ALWAYS},
    {SYS_sendfile, "sendfile", WRITE, ON(0), 3, ALWAYS},
    {SYS_splice, "splice", WRITE, ON(2), 4, ALWAYS},
    {SYS_copy_file_range, "copy_file_range", WRITE, ON(2), 4, ALWAYS},
    {SYS_fallocate, "fallocate", WRITE, ON(0), NONE, ALWAYS},
    {SYS_ftruncate, "ftruncate", WRITE, ON(0), NONE, ALWAYS},
    {SYS_truncate, "truncate", WRITE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_ioctl, "ioctl-clone", WRITE, ON(0), NONE, EQUAL(1, FICLONE)},
    {SYS_ioctl, "ioctl-clone-range", WRITE, ON(0), NONE, EQUAL(1, FICLONERANGE)},
    {SYS_ioctl, "ioctl-flags", MODE, ON(0), NONE, EQUAL(1, FS_IOC_SETFLAGS)},
    {SYS_fsync, "fsync", FSYNC, ON(0), NONE, ALWAYS},
    {SYS_fdatasync, "fdatasync", FSYNC, ON(0), NONE, ALWAYS},
    {SYS_syncfs, "syncfs", FSYNC, ON(0), NONE, ALWAYS},
    {SYS_sync, "sync", FSYNC, {HERE, NONE}, {NONE, NONE}, NONE, ALWAYS},
    {SYS_sync_file_range, "sync_file_range", FSYNC, ON(0), NONE, ALWAYS},
    {SYS_msync, "msync", FSYNC, {HERE, NONE}, {NONE, NONE}, NONE, ALWAYS},
#ifdef SYS_rename
    {SYS_rename, "rename", NAME, {HERE, 0}, {HERE, 1}, NONE, ALWAYS},
    {SYS_link, "link", NAME, {HERE, 0}, {HERE, 1}, NONE, ALWAYS},
    {SYS_symlink, "symlink", NAME, AT(HERE, 1), NONE, ALWAYS},
    {SYS_unlink, "unlink", REMOVE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_rmdir, "rmdir", REMOVE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_mkdir, "mkdir", NAME, AT(HERE, 0), NONE, ALWAYS},
    {SYS_mknod, "mknod", NAME, AT(HERE, 0), NONE, ALWAYS},
    {SYS_open, "open", OPEN, AT(HERE, 0), NONE, WITH(1, CREATES)},
    {SYS_creat, "creat", OPEN, AT(HERE, 0), NONE, ALWAYS},
    {SYS_chmod, "chmod", MODE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_chown, "chown", MODE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_lchown, "lchown", MODE, AT(HERE, 0), NONE, ALWAYS},
#endif
#ifdef SYS_renameat
    {SYS_renameat, "renameat", NAME, {0, 1}, {2, 3}, NONE, ALWAYS},
#endif
    {SYS_renameat2, "renameat2", NAME, {0, 1}, {2, 3}, NONE, ALWAYS},
    {SYS_linkat, "linkat", NAME, {0, 1}, {2, 3}, NONE, ALWAYS},
    {SYS_symlinkat, "symlinkat", NAME, AT(1, 2), NONE, ALWAYS},
    {SYS_unlinkat, "unlinkat", REMOVE, AT(0, 1), NONE, ALWAYS},
    {SYS_mkdirat, "mkdirat", NAME, AT(0, 1), NONE, ALWAYS},
    {SYS_mknodat, "mknodat", NAME, AT(0, 1), NONE, ALWAYS},
    {SYS_openat, "openat", OPEN, AT(0, 1), NONE, WITH(2, CREATES)},
    {SYS_openat2, "openat2", OPEN, AT(0, 1), NONE, ALWAYS},
    {SYS_fchmod, "fchmod", MODE, ON(0), NONE, ALWAYS},
    {SYS_fchmodat, "fchmodat", MODE, AT(0, 1), NONE, ALWAYS},
    {452, "fchmodat2", MODE, AT(0, 1), NONE, ALWAYS},
    {SYS_fchown, "fchown", MODE, ON(0), NONE, ALWAYS},
    {SYS_fchownat, "fchownat", MODE, AT(0, 1), NONE, ALWAYS},
    {SYS_utimensat, "utimensat", MODE, AT(0, 1), NONE, ALWAYS},
    {SYS_setxattr, "setxattr", MODE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_lsetxattr, "lsetxattr", MODE, AT(HERE, 0), NONE, ALWAYS},
    {SYS_fsetxattr, "fsetxattr", MODE, ON(0), NONE, ALWAYS},
    {SYS_close, "close", CLOSE, ON(0), NONE, ALWAYS},
    {SYS_io_uring_setup, "io_uring_setup", BLIND, {HERE, NONE}, {NONE, NONE}, NONE, ALWAYS},
    {SYS_mmap, "mmap", BLIND, ON(4), NONE, {{2, PROT_WRITE, 0}, {3, MAP_SHARED, 0}}},
};
#define CALL_COUNT (sizeof calls / sizeof calls[0])

enum action { COUNT, KILL, KILL_TREE, FAIL_ONCE, FAIL_ON, SHORTEN, SKIP, SKIP_CLASS };

static enum action action = COUNT;
static long target;               /* the event that the action is for */
static int error_number;
static unsigned skipped_classes;
static unsigned counted_classes = WRITE | OPEN | NAME | REMOVE | FSYNC | DIRFSYNC | MODE;
static bool verbose;
static FILE *report;
static char folders[16][PATH_MAX];
static int folder_count;

static long events, done_at;
static bool killing_tree;
static pid_t *tasks;
static size_t task_count, task_room;

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("killat: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(125);
}

/* ---- registers ---- */

#if defined(__x86_64__)
typedef struct user_regs_struct registers;
static long call_number(const registers *r) { return (long)r->orig_rax; }
static unsigned long long *argument(registers *r, int number) {
  unsigned long long *all[] = {&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8, &r->r9};
  return all[number];
}
#else
typedef struct user_regs_struct registers;
static long call_number(const registers *r) { return (long)r->regs[8]; }
static unsigned long long *argument(registers *r, int number) { return &r->regs[number]; }
#endif

static bool load(pid_t task, registers *r) {
  struct iovec piece = {r, sizeof *r};
  return ptrace(PTRACE_GETREGSET, task, NT_PRSTATUS, &piece) == 0;
}

static void store(pid_t task, registers *r) {
  struct iovec piece = {r, sizeof *r};
  ptrace(PTRACE_SETREGSET, task, NT_PRSTATUS, &piece);
}

/* The stopped call becomes another one. */
static void become(pid_t task, registers *r, long number) {
#if defined(__x86_64__)
  (void)task;
  r->orig_rax = (unsigned long long)number;
#else
  int32_t value = (int32_t)number;
  struct iovec piece = {&value, sizeof value};
  ptrace(PTRACE_SETREGSET, task, NT_ARM_SYSTEM_CALL, &piece);
  r->regs[8] = (unsigned long long)number;
#endif
}

/* The stopped call does not happen and returns this. */
static void answer(pid_t task, registers *r, long result) {
  become(task, r, -1);
#if defined(__x86_64__)
  r->rax = (unsigned long long)result;
#else
  r->regs[0] = (unsigned long long)result;
#endif
  store(task, r);
}

/* ---- paths ---- */

static bool peek(pid_t task, uint64_t address, void *into, size_t count) {
  struct iovec here = {into, count}, there = {(void *)(uintptr_t)address, count};
  return process_vm_readv(task, &here, 1, &there, 1, 0) == (ssize_t)count;
}

static void peek_text(pid_t task, uint64_t address, char *into, size_t room) {
  size_t used = 0;
  while (used + 1 < room) {
    size_t piece = 4096 - (address + used) % 4096;
    if (piece > room - 1 - used) piece = room - 1 - used;
    if (!peek(task, address + used, into + used, piece)) break;
    char *end = memchr(into + used, 0, piece);
    if (end) return;
    used += piece;
  }
  into[used] = 0;
}

static void follow_link(pid_t task, const char *what, long number, char *into) {
  char link[64];
  if (number >= 0)
    snprintf(link, sizeof link, "/proc/%d/%s/%ld", task, what, number);
  else
    snprintf(link, sizeof link, "/proc/%d/%s", task, what);
  ssize_t length = readlink(link, into, PATH_MAX - 1);
  into[length < 0 ? 0 : length] = 0;
}

/* Resolves all but the last part, which may not exist yet. */
static void resolve(char *path) {
  char folder[PATH_MAX], real[PATH_MAX], last[NAME_MAX + 1];
  size_t length = strlen(path);
  while (length > 1 && path[length - 1] == '/') path[--length] = 0;
  char *slash = strrchr(path, '/');
  if (!slash || strlen(slash + 1) > NAME_MAX) return;
  strcpy(last, slash + 1);
  snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
  if (!strcmp(last, ".") || !strcmp(last, "..")) {
    if (realpath(path, real)) strcpy(path, real);
  } else if (realpath(folder, real) && strlen(real) + strlen(last) + 2 < PATH_MAX) {
    sprintf(path, "%s/%s", strcmp(real, "/") ? real : "", last);
  }
}

static void path_of(pid_t task, registers *r, struct place place, char *into) {
  char folder[PATH_MAX] = "", name[PATH_MAX] = "";
  into[0] = 0;
  if (place.path == NONE) {
    if (place.fd >= 0) follow_link(task, "fd", (int)*argument(r, place.fd), into);
    return;
  }
  peek_text(task, *argument(r, place.path), name, sizeof name);
  if (!strncmp(name, "/proc/self/fd/", 14)) {
    follow_link(task, "fd", atol(name + 14), into);
    return;
  }
  if (name[0] == '/') {
    strcpy(into, name);
  } else {
    int fd = place.fd == HERE ? AT_FDCWD : (int)*argument(r, place.fd);
    if (fd == AT_FDCWD)
      follow_link(task, "cwd", -1, folder);
    else
      follow_link(task, "fd", fd, folder);
    if (!name[0])
      strcpy(into, folder);
    else if (strlen(folder) + strlen(name) + 2 < PATH_MAX)
      sprintf(into, "%s/%s", folder, name);
  }
  resolve(into);
}

static bool is_under(const char *path) {
  for (int i = 0; i < folder_count; i++) {
    size_t length = strlen(folders[i]);
    if (!strncmp(path, folders[i], length) && (path[length] == '/' || !path[length])) return true;
  }
  return false;
}

/* What an fd of the command refers to; 0 where that is nothing. */
static mode_t kind_of_fd(pid_t task, long fd) {
  char link[64];
  struct stat found;
  snprintf(link, sizeof link, "/proc/%d/fd/%ld", task, fd);
  return stat(link, &found) == 0 ? found.st_mode & S_IFMT : 0;
}

/* ---- one event ---- */

static pid_t process_of(pid_t task) {
  char name[64], line[256];
  long process = task;
  snprintf(name, sizeof name, "/proc/%d/status", task);
  FILE *status = fopen(name, "re");
  if (!status) return task;
  while (fgets(line, sizeof line, status))
    if (sscanf(line, "Tgid: %ld", &process) == 1) break;
  fclose(status);
  return (pid_t)process;
}

static void kill_tree(void) {
  killing_tree = true;
  for (size_t i = 0; i < task_count; i++) kill(process_of(tasks[i]), SIGKILL);
}

static uint64_t byte_count(pid_t task, registers *r, const struct call *call) {
  if (call->length == NONE) return 0;
  uint64_t total = *argument(r, call->length);
  if (!strstr(call->name, "writev")) return total;
  struct iovec piece;
  uint64_t bytes = 0, list = *argument(r, 1);
  for (uint64_t i = 0; i < total && i < 1024; i++)
    if (peek(task, list + i * sizeof piece, &piece, sizeof piece)) bytes += piece.iov_len;
  return bytes;
}

static bool shorten(pid_t task, registers *r, const struct call *call) {
  if (call->length == NONE || byte_count(task, r, call) < 2) return false;
  unsigned long long *length = argument(r, call->length);
  struct iovec piece;
  if (!strstr(call->name, "writev")) {
    *length /= 2;
  } else {
    if (!peek(task, *argument(r, 1), &piece, sizeof piece) || piece.iov_len < 2) return false;
    *argument(r, 1) = (uintptr_t)piece.iov_base;
    *argument(r, 2) = piece.iov_len / 2;
    become(task, r, call->number == SYS_writev ? SYS_write : SYS_pwrite64);
  }
  store(task, r);
  return true;
}

static bool frees_space(const struct call *call) {
  return call->class & (REMOVE | CLOSE) || strstr(call->name, "truncate");
}

static void skip(pid_t task, registers *r, const struct call *call, unsigned class) {
  if (class == OPEN) return;
  answer(task, r, (long)byte_count(task, r, call));
  done_at = events;
}

/* Does what was asked for at this event; true when the task must not go on. */
static bool act(pid_t task, registers *r, const struct call *call, unsigned class) {
  if (action == SKIP_CLASS && class & skipped_classes) skip(task, r, call, class);
  if (action == FAIL_ON && events >= target) {
    bool full = error_number == ENOSPC || error_number == EDQUOT;
    if (!(full && frees_space(call))) {
      answer(task, r, -error_number);
      done_at = events;
    }
  }
  if (events != target) return false;
  switch (action) {
    case KILL:
      done_at = events;
      kill(process_of(task), SIGKILL);
      return true;
    case KILL_TREE:
      done_at = events;
      kill_tree();
      return true;
    case FAIL_ONCE:
      done_at = events;
      answer(task, r, -error_number);
      return false;
    case SHORTEN:
      if (shorten(task, r, call)) done_at = events;
      return false;
    case SKIP:
      skip(task, r, call, class);
      return false;
    default:
      return false;
  }
}

static const char *class_name(unsigned class) {
  for (size_t i = 0; i < sizeof class_names / sizeof class_names[0]; i++)
    if (class_names[i].classes == class) return class_names[i].name;
  return "?";
}

static bool opens_for_change(pid_t task, registers *r, const struct call *call) {
  uint64_t flags;
  if (call->number != SYS_openat2) return true;
  return peek(task, *argument(r, 2), &flags, sizeof flags) && flags & CREATES;
}

static bool opened_for_writing(pid_t task, long fd) {
  char name[64], line[256];
  unsigned flags = 0;
  snprintf(name, sizeof name, "/proc/%d/fdinfo/%ld", task, fd);
  FILE *info = fopen(name, "re");
  if (!info) return false;
  while (fgets(line, sizeof line, info))
    if (sscanf(line, "flags: %o", &flags) == 1) break;
  fclose(info);
  return (flags & O_ACCMODE) != O_RDONLY;
}

/* The class of the call that the task has stopped at, 0 when it is not an event. */
static unsigned classify(pid_t task, registers *r, const struct call *call, char *path, char *other) {
  unsigned class = call->class;
  path_of(task, r, call->first, path);
  path_of(task, r, call->second, other);
  if (call->first.fd >= 0 && call->first.path == NONE) {
    long fd = (int)*argument(r, call->first.fd);
    mode_t kind = kind_of_fd(task, fd);
    if (kind != S_IFREG && kind != S_IFDIR && kind != S_IFBLK) return 0;
    if (class == FSYNC && kind == S_IFDIR && call->number != SYS_syncfs) class = DIRFSYNC;
    if (class == CLOSE && !opened_for_writing(task, fd)) return 0;
  }
  if (!opens_for_change(task, r, call)) return 0;
  bool placeless = call->first.fd == HERE && call->first.path == NONE;
  if (folder_count && !placeless && !is_under(path) && !is_under(other)) return 0;
  return class;
}

/* A task has stopped before a call that the filter names; true when it must not go on. */
static bool at_call(pid_t task, unsigned index) {
  static char path[PATH_MAX], other[PATH_MAX];
  registers r;
  if (killing_tree) {
    kill(process_of(task), SIGKILL);
    return true;
  }
  if (index >= CALL_COUNT || !load(task, &r) || call_number(&r) != calls[index].number) return false;
  const struct call *call = &calls[index];
  unsigned class = classify(task, &r, call, path, other);
  if (class == BLIND) {
    if (call->number == SYS_io_uring_setup || path[0]) fprintf(report, "blind %s %s\n", call->name, path);
    return false;
  }
  if (!(class & counted_classes)) return false;
  events++;
  if (verbose) {
    fprintf(report, "%ld %d %s %s %s", events, process_of(task), class_name(class), call->name, path);
    fprintf(report, "%s%s\n", other[0] ? " -> " : "", other);
  }
  return act(task, &r, call, class);
}

/* ---- the filter ---- */

static void filter_calls(void) {
  static struct sock_filter code[16 + CALL_COUNT * 8];
  size_t at = 0;
#define EMIT(...) code[at++] = (struct sock_filter)__VA_ARGS__
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (unsigned)(n)) /* its low half */
  EMIT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
  EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  EMIT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  for (unsigned i = 0; i < CALL_COUNT; i++) {
    const struct call *call = &calls[i];
    if (call->class == CLOSE && !(counted_classes & CLOSE)) continue;
    unsigned conditions = 0;
    while (conditions < 2 && call->conditions[conditions].argument != NONE) conditions++;
    uint8_t past = (uint8_t)(2 * conditions + 1);
    EMIT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    EMIT(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0, past));
    for (unsigned k = 0; k < conditions; k++) {
      const struct condition *condition = &call->conditions[k];
      uint8_t rest = (uint8_t)(2 * (conditions - k - 1) + 1);
      EMIT(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(condition->argument)));
      EMIT(BPF_JUMP(BPF_JMP | (condition->equal ? BPF_JEQ : BPF_JSET) | BPF_K, condition->bits, 0, rest));
    }
    EMIT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | i));
  }
  EMIT(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  struct sock_fprog program = {(unsigned short)at, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    die("cannot set the filter: %s", strerror(errno));
}

/* ---- the command ---- */

static pid_t start(char **command) {
  int gate[2];
  if (pipe2(gate, O_CLOEXEC)) die("pipe: %s", strerror(errno));
  pid_t child = fork();
  if (child < 0) die("fork: %s", strerror(errno));
  if (child == 0) {
    char byte;
    close(gate[1]);
    if (read(gate[0], &byte, 1) != 1) _exit(125);
    filter_calls();
    execvp(command[0], command);
    fprintf(stderr, "killat: %s: %s\n", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
  }
  long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, child, 0, options)) die("cannot trace: %s", strerror(errno));
  close(gate[0]);
  if (write(gate[1], "", 1) != 1) die("the command did not start");
  close(gate[1]);
  return child;
}

static void remember(pid_t task) {
  for (size_t i = 0; i < task_count; i++)
    if (tasks[i] == task) return;
  if (task_count == task_room) {
    task_room = task_room ? task_room * 2 : 64;
    tasks = realloc(tasks, task_room * sizeof *tasks);
    if (!tasks) die("out of memory");
  }
  tasks[task_count++] = task;
}

static void forget(pid_t task) {
  for (size_t i = 0; i < task_count; i++)
    if (tasks[i] == task) tasks[i] = tasks[--task_count];
}

/* Lets a stopped task go on as it should. */
static void handle_stop(pid_t task, int status) {
  int signal = WSTOPSIG(status), event = status >> 16;
  remember(task);
  if (event == PTRACE_EVENT_SECCOMP) {
    unsigned long index = 0;
    ptrace(PTRACE_GETEVENTMSG, task, 0, &index);
    if (at_call(task, (unsigned)index)) return;
    ptrace(PTRACE_CONT, task, 0, 0);
  } else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ptrace(PTRACE_LISTEN, task, 0, 0); /* stopped by a signal: stays so until it is continued */
  } else {
    if (killing_tree) kill(process_of(task), SIGKILL);
    ptrace(PTRACE_CONT, task, 0, event ? 0 : signal);
  }
}

static int follow(pid_t command) {
  int result = 125, status;
  for (;;) {
    pid_t task = waitpid(-1, &status, __WALL);
    if (task < 0 && errno == EINTR) continue;
    if (task < 0) return result;
    if (WIFSTOPPED(status)) {
      handle_stop(task, status);
      continue;
    }
    forget(task);
    if (task == command) result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
}

/* ---- options ---- */

static unsigned classes_named(const char *list) {
  unsigned classes = 0;
  char copy[256], *rest = copy, *name;
  snprintf(copy, sizeof copy, "%s", list);
  while ((name = strsep(&rest, ","))) {
    unsigned found = 0;
    for (size_t i = 0; i < sizeof class_names / sizeof class_names[0]; i++)
      if (!strcmp(name, class_names[i].name)) found = class_names[i].classes;
    if (!found) die("unknown class: %s", name);
    classes |= found;
  }
  return classes;
}

static int errno_named(const char *name) {
  for (int i = 1; i < 134; i++) {
    const char *known = strerrorname_np(i);
    if (known && !strcmp(known, name)) return i;
  }
  int number = atoi(name);
  if (number <= 0) die("unknown error: %s", name);
  return number;
}

static long event_named(const char *text) {
  char *end;
  long number = text ? strtol(text, &end, 10) : 0;
  if (number <= 0 || *end) die("not the number of an event: %s", text ? text : "");
  return number;
}

static void add_folder(const char *name) {
  if (folder_count == 16) die("too many folders");
  char *path = folders[folder_count];
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
  } else {
    if (!getcwd(path, PATH_MAX)) die("getcwd: %s", strerror(errno));
    size_t length = strlen(path);
    snprintf(path + length, PATH_MAX - length, "/%s", name);
  }
  char real[PATH_MAX];
  if (realpath(path, real))
    strcpy(path, real);
  else
    resolve(path);
  folder_count++;
}

static void take_action(enum action taken, const char *number) {
  action = taken;
  target = event_named(number);
}

int main(int count, char **words) {
  int option;
  report = stderr;
  while ((option = getopt(count, words, "+ck:K:e:E:s:d:D:u:C:o:v")) != -1) {
    switch (option) {
      case 'c': action = COUNT; break;
      case 'k': take_action(KILL, optarg); break;
      case 'K': take_action(KILL_TREE, optarg); break;
      case 's': take_action(SHORTEN, optarg); break;
      case 'd': take_action(SKIP, optarg); break;
      case 'e':
      case 'E':
        error_number = errno_named(optarg);
        take_action(option == 'e' ? FAIL_ONCE : FAIL_ON, optind < count ? words[optind++] : NULL);
        break;
      case 'D':
        action = SKIP_CLASS;
        skipped_classes = classes_named(optarg);
        break;
      case 'u': add_folder(optarg); break;
      case 'C': counted_classes = classes_named(optarg); break;
      case 'v': verbose = true; break;
      case 'o':
        report = fopen(optarg, "we");
        if (!report) die("%s: %s", optarg, strerror(errno));
        break;
      default: die("see the head of killat.c for the options");
    }
  }
  if (optind >= count) die("which command?");
  setvbuf(report, NULL, _IOLBF, 0);
  int result = follow(start(words + optind));
  fprintf(report, "events %ld\n", events);
  if (action != COUNT && done_at) fprintf(report, "done %ld\n", done_at);
  if (action != COUNT && !done_at) fputs("not reached\n", report);
  return result;
}
