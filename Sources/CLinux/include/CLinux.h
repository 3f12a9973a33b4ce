/* Linux calls and constants that Swift's Glibc module does not show: everything behind
   _GNU_SOURCE, variadic calls and macros. Declarations and thin wrappers only. */
#ifndef VPIPE_CLINUX_H
#define VPIPE_CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Size in bytes of the block device behind fd; 0, or -1 with errno. */
int cl_block_device_size(int fd, uint64_t *size);
/* Logical sector size in bytes of the block device behind fd; 0, or -1 with errno. */
int cl_block_device_sector_size(int fd, uint32_t *size);
/* Asks for a pipe buffer of size bytes; what it became, or -1 with errno. */
int cl_set_pipe_size(int fd, int size);
/* lseek with SEEK_DATA or SEEK_HOLE. */
off_t cl_seek_data(int fd, off_t offset);
off_t cl_seek_hole(int fd, off_t offset);
/* fallocate with FALLOC_FL_PUNCH_HOLE | KEEP_SIZE. */
int cl_punch_hole(int fd, off_t offset, off_t length);
/* fallocate with FALLOC_FL_ZERO_RANGE. */
int cl_zero_range(int fd, off_t offset, off_t length);
/* renameat2 with RENAME_NOREPLACE, in the current folder's name space. */
int cl_rename_no_replace(const char *from, const char *to);
/* openat2 with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS. */
int cl_open_beneath(int folder, const char *path, int flags, mode_t permissions);
/* renameat2 with RENAME_NOREPLACE, within one folder. */
int cl_rename_in_folder(int folder, const char *from, const char *to);
/* fsetxattr, and lsetxattr; 0, or -1 with errno. */
int cl_set_attribute(int fd, const char *name, const void *value, size_t count);
int cl_set_link_attribute(const char *path, const char *name, const void *value, size_t count);
/* UTIME_OMIT. */
extern const long cl_utime_omit;
/* syncfs; 0, or -1 with errno. */
int cl_sync_file_system(int fd);
/* Starts write-out of a range, without waiting for it. */
int cl_start_writeback(int fd, off_t offset, off_t length);
/* Whether it is a block device, or a file of ext4, XFS or btrfs. */
int cl_is_on_local_disk(int fd);
/* O_DIRECT, which needs _GNU_SOURCE. */
extern const int cl_o_direct;
/* Sets or clears O_DIRECT; 0, or -1 with errno. */
int cl_set_direct(int fd, int direct);
/* An open-file-description write lock over the whole file, not waiting; 0, or -1 with errno. */
int cl_lock(int fd);
/* Kinds of st_mode. */
int cl_is_regular(mode_t mode);
int cl_is_block_device(mode_t mode);
int cl_is_character_device(mode_t mode);
int cl_is_directory(mode_t mode);
int cl_is_fifo(mode_t mode);
/* Free bytes for this user in the file system that holds path; 0, or -1 with errno. */
int cl_free_bytes(int fd, uint64_t *bytes);
/* Fills n bytes of randomness; 0, or -1 with errno. */
int cl_random(void *bytes, size_t n);
/* On SIGINT, SIGTERM, SIGHUP and SIGPIPE: unlinks the registered paths, then dies of the signal. */
void cl_install_cleanup(void);
/* Registers a path to unlink; a slot number, or -1 when all are taken or it is too long. */
int cl_register_cleanup(const char *path);
void cl_forget_cleanup(int slot);
/* Has the same signals empty the file behind fd before they kill; 0, or -1 with errno. */
int cl_empty_on_death(int fd);
/* The file is whole: it stays as it is. */
void cl_keep_on_death(void);
/* Whether fd takes a line without waiting; then this thread does not die of a closed pipe until
   the end of telling. */
int cl_begin_telling(int fd);
void cl_end_telling(void);
/* SIGUSR1 sets a flag that this call reads and clears. */
void cl_install_progress_signal(void);
int cl_take_progress_signal(void);
/* Makes a Unix socket that listens, and that only this process and those it hands the socket to can
   find: its name is gone already. listener is the socket; place can be connected to as
   /proc/self/fd/PLACE. 0, or -1 with errno. */
int cl_listen_hidden(const char *folder, int *listener, int *place);
/* Starts a program, found through PATH, that is handed the listening socket as systemd does it:
   as descriptor 3, with LISTEN_PID and LISTEN_FDS. What it prints goes to stderr, and it gets
   SIGTERM when this thread's process ends. Its process id, or -1 with errno, also when it cannot
   be executed. */
pid_t cl_start_server(char *const arguments[], int listener);
/* Whether a program that was started has ended within so many milliseconds; then its status is told.
   It is asked about no more afterwards. */
int cl_has_ended(pid_t process, int *status, int patience);
/* Sends it SIGTERM. */
void cl_ask_to_end(pid_t process);
/* Ends it at once, and tells its status. */
void cl_kill(pid_t process, int *status);
/* A status as a shell tells it: 128 and more for signals. */
int cl_exit_code(int status);
/* Copies the message of an errno value into text. */
void cl_error_text(int code, char *text, size_t n);
/* A terminal's width in columns, or 0. */
int cl_terminal_width(int fd);
/* Takes the numbers 0 to 2 where they are closed, so that no other file gets them. */
void cl_hold_standard_descriptors(void);
/* A set of rules under which no file can be opened, made or removed; its descriptor, or -1 with
   errno where the kernel has no Landlock. */
int cl_sandbox_begin(void);
/* Lets files at and beneath path be read; 0, or -1 with errno. */
int cl_sandbox_allow_reading(int rules, const char *path);
/* Lets folders and files beneath path, a folder, be made, written, renamed and removed; 0, or -1 with
   errno. */
int cl_sandbox_allow_writing(int rules, const char *path);
/* Puts this thread and those that it will start under the rules, for good; 0, or -1 with errno. */
int cl_sandbox_enforce(int rules);

#endif
