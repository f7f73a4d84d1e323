/* Runs a command and prints the processor seconds and the most memory that it used: "0.123 s 45.6 MiB".  Of
 * several runs, the quickest.
 *
 *   measure RUNS COMMAND...
 */
#define _DEFAULT_SOURCE /* wait4 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static double seconds(struct timeval time) {
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

int main(int count, char **arguments) {
    double best = -1, memory = 0;
    for (int run = 0; count > 2 && run < atoi(arguments[1]); run++) {
        struct rusage used;
        int status;
        pid_t child = fork();
        if (child == 0) {
            execvp(arguments[2], arguments + 2);
            _exit(127);
        }
        if (child < 0 || wait4(child, &status, 0, &used) != child || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0)
            return 1;
        double time = seconds(used.ru_utime) + seconds(used.ru_stime);
        best = best < 0 || time < best ? time : best;
        memory = (double)used.ru_maxrss / 1024;
    }
    if (best < 0)
        return 2;
    printf("%.3f s %.1f MiB\n", best, memory);
    return 0;
}
