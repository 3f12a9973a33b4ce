#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int cl_listen_hidden(const char *folder, int *listener, int *place) {
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/vpipe-socket-XXXXXX", folder) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    /* A folder of our own: nobody else may connect while the socket has its name. */
    if (!mkdtemp(path)) return -1;
    int status = -1, socket_fd = -1, place_fd = -1;
    int folder_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* The name of a socket may have 107 bytes only; that of a descriptor is short. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/s", folder_fd);
    if (folder_fd >= 0) socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_fd >= 0 && bind(socket_fd, (struct sockaddr *)&address, sizeof address) == 0) {
        place_fd = openat(folder_fd, "s", O_PATH | O_CLOEXEC);
        if (place_fd >= 0 && listen(socket_fd, SOMAXCONN) == 0) status = 0;
    }
    int code = errno;
    if (folder_fd >= 0) {
        unlinkat(folder_fd, "s", 0);
        close(folder_fd);
    }
    rmdir(path);
    if (status != 0) {
        if (socket_fd >= 0) close(socket_fd);
        if (place_fd >= 0) close(place_fd);
        errno = code;
        return -1;
    }
    *listener = socket_fd;
    *place = place_fd;
    return 0;
}

/* In the new process: nothing here may allocate or lock. Leaves the errno value of what failed. */
static void become_server(char *const arguments[], char *environment[], char *own_id, size_t room,
                          int listener, int report, pid_t parent) {
    /* Not SIGKILL: a server that may clean up removes its own temporary files. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    snprintf(own_id, room, "LISTEN_PID=%d", (int)getpid());
    /* Neither may be where the socket is to go. */
    report = fcntl(report, F_DUPFD_CLOEXEC, 10);
    int copy = fcntl(listener, F_DUPFD_CLOEXEC, 10);
    if (report < 0 || copy < 0 || dup2(copy, 3) < 0 || dup2(2, 1) < 0) _exit(127);
    execvpe(arguments[0], arguments, environment);
    int code = errno;
    (void)!write(report, &code, sizeof code);
    _exit(127);
}

extern char **environ;

/* The environment with what tells of the socket; the caller frees it. */
static char **server_environment(char *own_id) {
    size_t count = 0;
    while (environ[count]) count++;
    char **result = calloc(count + 3, sizeof *result);
    if (!result) return NULL;
    size_t next = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "LISTEN_", 7) != 0) result[next++] = environ[i];
    result[next++] = own_id;
    result[next] = "LISTEN_FDS=1";
    return result;
}

pid_t cl_start_server(char *const arguments[], int listener) {
    char own_id[32] = "LISTEN_PID=";
    char **environment = server_environment(own_id);
    int report[2];
    if (!environment || pipe2(report, O_CLOEXEC) != 0) {
        free(environment);
        return -1;
    }
    sigset_t all, before;
    sigfillset(&all);
    /* The handlers of this process, which remove its files, must not run in the new one. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        struct sigaction action;
        for (int number = 1; number < NSIG; number++)
            if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                signal(number, SIG_DFL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        become_server(arguments, environment, own_id, sizeof own_id, listener, report[1], parent);
    }
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(environment);
    close(report[1]);
    if (child > 0) {
        /* End of file: the program runs. */
        ssize_t got;
        do got = read(report[0], &code, sizeof code);
        while (got < 0 && errno == EINTR);
        if (got == sizeof code) {
            waitpid(child, NULL, 0);
            child = -1;
        }
    }
    close(report[0]);
    errno = code;
    return child;
}

int cl_has_ended(pid_t process, int *status, int patience) {
    const struct timespec step = {.tv_nsec = 1000000};
    for (int waited = 0;; waited++) {
        if (waitpid(process, status, WNOHANG) == process) return 1;
        if (waited >= patience) return 0;
        nanosleep(&step, NULL);
    }
}

void cl_ask_to_end(pid_t process) { kill(process, SIGTERM); }

void cl_kill(pid_t process, int *status) {
    kill(process, SIGKILL);
    while (waitpid(process, status, 0) < 0 && errno == EINTR) continue;
}

int cl_exit_code(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
