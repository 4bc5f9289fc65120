#include <malloc.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* prctl is variadic, which Swift cannot call. */
static inline int nephele_name_thread(const char *name) {
    return prctl(PR_SET_NAME, name);
}

/* A thread has a niceness of its own on Linux. Returns 0, or -1 where the system refuses. */
static inline int nephele_add_niceness(int niceness) {
    id_t thread = (id_t)syscall(SYS_gettid);
    return setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + niceness);
}

/* Rows in the upper half, columns in the lower; 0 where it is no terminal or does not know. */
static inline uint32_t nephele_terminal_size(int file) {
    struct winsize size;
    if (ioctl(file, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
        return 0;
    return (uint32_t)size.ws_row << 16 | size.ws_col;
}
