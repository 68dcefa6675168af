/* Makes every fsync and fdatasync of a program longer by GOVERNANCE_BENCH_SYNC_MS milliseconds (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_longer(void) {
    const char *text = getenv("GOVERNANCE_BENCH_SYNC_MS");
    double milliseconds = text ? strtod(text, NULL) : 0.0;
    struct timespec pause = {(time_t)(milliseconds / 1000), 0};
    pause.tv_nsec = (long)((milliseconds - 1000.0 * (double)pause.tv_sec) * 1000000.0);
    nanosleep(&pause, NULL);
}

int fsync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_longer();
    return real(file);
}

int fdatasync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_longer();
    return real(file);
}
