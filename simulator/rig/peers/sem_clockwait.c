/* Preloaded before libfaketime, whose 0.9.10 lacks the one call with which Python waits for a lock or condition for a
 * time: its deadline is in made-up seconds, which the kernel would take for real ones. Compiled by `./install soak`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double seconds(const struct timespec *at)
{
    return (double)at->tv_sec + (double)at->tv_nsec / 1e9;
}

/* SOAK_SPEED: made-up seconds in a real one, as FAKETIME has it. */
int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *until)
{
    static int (*real)(sem_t *, clockid_t, const struct timespec *);
    const char *speed = getenv("SOAK_SPEED");
    struct timespec told, now;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sem_clockwait");
    if (!speed)
        return real(sem, clock, until);
    clock_gettime(clock, &told);
    syscall(SYS_clock_gettime, clock, &now);
    double left = (seconds(until) - seconds(&told)) / atof(speed);
    double at = seconds(&now) + (left > 0 ? left : 0);
    struct timespec deadline = {(time_t)at, (long)((at - (double)(time_t)at) * 1e9)};
    return real(sem, clock, &deadline);
}
