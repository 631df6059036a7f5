// What Linux offers and Swift cannot import: descriptors passed over sockets (macros), functions with variable arguments,
// system calls without a wrapper in the C library, and a new process that is bound to its maker from its first moment on.
#ifndef WADE_CLINUX_H
#define WADE_CLINUX_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Room for one descriptor beside a message, aligned as its header has to be.
union linux_companion {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

// A message of `part`, with `companion` for what comes beside it.
static inline struct msghdr linux_message(struct iovec *part, union linux_companion *companion) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(companion, 0, sizeof *companion);
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message.msg_control = companion;
    message.msg_controllen = sizeof companion->space;
    return message;
}

// Sends `count` bytes, with `descriptor` beside them unless it is negative; what send(2) says. Never raises SIGPIPE.
static inline ssize_t linux_send(int socket, const void *bytes, size_t count, int descriptor) {
    struct iovec part = {(void *)bytes, count};
    union linux_companion companion;
    struct msghdr message = linux_message(&part, &companion);
    if (descriptor < 0) {
        message.msg_control = NULL;
        message.msg_controllen = 0;
    } else {
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

// Receives at most `count` bytes; a descriptor that comes with them is stored in `descriptor`, else -1 is. What recv(2) says.
static inline ssize_t linux_receive(int socket, void *bytes, size_t count, int *descriptor) {
    struct iovec part = {bytes, count};
    union linux_companion companion;
    struct msghdr message = linux_message(&part, &companion);
    *descriptor = -1;
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got < 0) return got;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    }
    return got;
}

// A pair of connected sockets that no program run later inherits; 0 or -1.
static inline int linux_socket_pair(int sockets[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets);
}

// Signals that ask a run to stop. Service managers send them to all of its processes at once, and the clip in work is to be finished.
static const int linux_stop_signals[] = {SIGHUP, SIGINT, SIGUSR1, SIGTERM};

// In a new process that shares the memory of the one that made it: becomes `program`, or gives the error number of what failed. Calls
// the kernel only, and no handler of a signal can run.
static __attribute__((noinline)) int linux_become(
    const char *program, char *const arguments[], char **environment, int socket, pid_t parent) {
    // First of all, so that nothing can stop the process before it is tied to its run; it stays so when the program changes.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) return errno;
    if (getppid() != parent) return ESRCH;
    if (setpgid(0, 0)) return errno;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, NULL);
    if (socket == 3 ? fcntl(3, F_SETFD, 0) : dup2(socket, 3) < 0) return errno;
    for (int stream = 0; stream < 3; stream++) {
        int empty = open("/dev/null", stream ? O_WRONLY : O_RDONLY);
        if (empty < 0 || dup2(empty, stream) < 0) return errno;
        if (empty > 3) close(empty);
    }
#ifdef SYS_close_range
    // Descriptors of our own close by themselves; these are of libraries and of whoever started the run. Kernels before 5.9 keep them.
    syscall(SYS_close_range, 4U, ~0U, 0U);
#endif
    sigset_t stops;
    sigemptyset(&stops);
    for (size_t i = 0; i < sizeof linux_stop_signals / sizeof *linux_stop_signals; i++)
        sigaddset(&stops, linux_stop_signals[i]);
    if (sigprocmask(SIG_SETMASK, &stops, NULL)) return errno;
    execve(program, arguments, environment);
    return errno;
}

// Starts `program` (argv: "wade", `argument`, `value`) with nothing but /dev/null as descriptors 0 to 2 and `socket` as 3, every
// signal as the system has it by default but those that ask to stop, which are blocked, in a process group of its own, with one
// thread for libraries that like many, and bound to end when the calling thread does: posix_spawn knows no such thing.
// An error number, or 0 and the new process's id.
static __attribute__((noinline)) int linux_spawn(
    const char *program, const char *argument, const char *value, int socket, pid_t *process) {
    static const char *const settings[] = {
        "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "SWIFT_BACKTRACE=enable=no"};
    char *const arguments[] = {(char *)"wade", (char *)argument, (char *)value, NULL};
    size_t count = 0, kept = 0;
    while (__environ && __environ[count]) count++;
    char **environment = (char **)calloc(count + 4, sizeof *environment);
    if (!environment) return ENOMEM;
    for (size_t i = 0; i < 3; i++) environment[kept++] = (char *)settings[i];
    for (size_t i = 0; i < count; i++) {
        int replaced = 0;
        for (size_t j = 0; j < 3; j++)
            replaced |= !strncmp(__environ[i], settings[j], strcspn(settings[j], "=") + 1);
        if (!replaced) environment[kept++] = __environ[i];
    }
    sigset_t all, before;
    sigfillset(&all);
    int code = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (!code) {
        // The memory is one until the program changes, so the new process's error number is seen here.
        volatile int failure = 0;
        pid_t parent = getpid();
        pid_t child = vfork();
        if (child == 0) {
            failure = linux_become(program, arguments, environment, socket, parent);
            _exit(127);
        }
        code = child < 0 ? errno : failure;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (child > 0 && code) waitpid(child, NULL, 0);
        if (!code) *process = child;
    }
    free(environment);
    return code;
}

// SIGKILL for this process once the thread that started it is gone, in case something else than linux_spawn did; nothing it runs gains
// rights.
static inline int linux_die_with_parent(void) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

// Sets the soft limit; the hard one stays.
static inline int linux_limit(int resource, unsigned long long value) {
    struct rlimit limit;
    if (getrlimit(resource, &limit)) return -1;
    limit.rlim_cur = value > limit.rlim_max ? limit.rlim_max : (rlim_t)value;
    return setrlimit(resource, &limit);
}

static inline int linux_limit_address_space(unsigned long long bytes) { return linux_limit(RLIMIT_AS, bytes); }
static inline int linux_limit_processor(unsigned long long seconds) { return linux_limit(RLIMIT_CPU, seconds); }

// No core dumps, no files written, few descriptors.
static inline int linux_limit_output(void) {
    return linux_limit(RLIMIT_CORE, 0) | linux_limit(RLIMIT_FSIZE, 0) | linux_limit(RLIMIT_NOFILE, 32);
}

// Seconds of processor time that this process has used.
static inline unsigned long long linux_processor_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage)) return 0;
    return (unsigned long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
}

// Whether `count` bytes could be had now: large blocks are mapped one by one, so the limit on address space decides.
static inline int linux_has_room(size_t count) {
    void *volatile block = malloc(count);
    if (!block) return 0;
    free(block);
    return 1;
}

static inline void linux_give_back_memory(void) { malloc_trim(0); }

// What statfs(2) calls the type of the file system that holds `path`; 0 when it cannot be told.
static inline unsigned long linux_file_system(const char *path) {
    struct statfs status;
    return statfs(path, &status) ? 0 : (unsigned long)status.f_type;
}

// As many open files as the system lets this process have: a thousand parts are read at once.
static inline void linux_raise_open_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// The lowest priority for every thread that this process has; threads started later inherit it. 0, or -1 when the system refuses.
static inline int linux_lower_priority(int nice) {
    // Linux has both priorities per thread (setpriority(2), ioprio_set(2)); class 3 is "idle".
    int result = 0;
    DIR *threads = opendir("/proc/self/task");
    if (!threads) return -1;
    struct dirent *entry;
    while ((entry = readdir(threads))) {
        int thread = atoi(entry->d_name);
        if (thread <= 0) continue;
        if (setpriority(PRIO_PROCESS, (id_t)thread, nice)) result = -1;
        if (syscall(SYS_ioprio_set, 1, thread, 3 << 13)) result = -1;
    }
    closedir(threads);
    return result;
}

// The calling thread's nice value, and setting it. libdispatch gives its threads the value 0 of its own accord.
static inline int linux_niceness(void) { return getpriority(PRIO_PROCESS, 0); }
static inline void linux_set_niceness(int nice) { setpriority(PRIO_PROCESS, 0, nice); }

// Seconds since 1970 of `hour`:`minute` by the clock of the time zone (TZ), `days` after the day of `now`, by summer time or not;
// `shown` says whether the clock shows that time then. -1 when the system knows no such moment.
static inline long linux_local_moment(long now, int days, int hour, int minute, int summer, int *shown) {
    time_t seconds = now;
    struct tm day;
    tzset();
    if (!localtime_r(&seconds, &day)) return -1;
    struct tm wanted = {
        .tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday + days, .tm_hour = hour, .tm_min = minute,
        .tm_isdst = summer};
    time_t moment = mktime(&wanted);
    *shown = wanted.tm_hour == hour && wanted.tm_min == minute;
    return moment;
}

// How a process that waitpid(2) told of came to its end.
static inline int linux_signal_of(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
static inline int linux_exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

#endif
