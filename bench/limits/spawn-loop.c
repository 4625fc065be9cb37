// The physical limit: posix_spawn and wait, with nothing else.
//   spawn-loop SLOTS COUNT REST_MS FOLDER|- PROGRAM [ARGUMENT …]
// Starts PROGRAM COUNT times, SLOTS at a time, and rests before each start. With a FOLDER each start's stdout and stderr go to files of their own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct slot {
  pid_t pid;
  double started;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double cpu(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static int by_size(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static void fail(const char *what, int code) {
  fprintf(stderr, "spawn-loop: %s: %s\n", what, strerror(code));
  exit(1);
}

static pid_t start(char **argv, const char *folder, long number) {
  char *variables[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  if (folder != NULL) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%ld.out", folder, number);
    posix_spawn_file_actions_addopen(&files, 1, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    snprintf(path, sizeof path, "%s/%ld.err", folder, number);
    posix_spawn_file_actions_addopen(&files, 2, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  } else {
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  }
  pid_t pid;
  int code = posix_spawn(&pid, argv[0], &files, NULL, argv, variables);
  if (code != 0) fail(argv[0], code);
  posix_spawn_file_actions_destroy(&files);
  return pid;
}

int main(int argc, char **argv) {
  if (argc < 6) {
    fprintf(stderr, "spawn-loop SLOTS COUNT REST_MS FOLDER|- PROGRAM [ARGUMENT …]\n");
    return 2;
  }
  long slots = atol(argv[1]), count = atol(argv[2]);
  useconds_t rest = (useconds_t)atol(argv[3]) * 1000;
  const char *folder = strcmp(argv[4], "-") == 0 ? NULL : argv[4];
  if (slots < 1 || count < 1) return 2;
  struct slot *running = calloc((size_t)slots, sizeof *running);
  double *took = calloc((size_t)count, sizeof *took);
  if (running == NULL || took == NULL) fail("memory", ENOMEM);
  long started = 0, ended = 0, failed = 0;
  double begin = now();
  for (long at = 0; at < slots && started < count; at += 1) {
    usleep(rest);
    running[at].started = now();
    running[at].pid = start(argv + 5, folder, started++);
  }
  while (ended < count) {
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid < 0) fail("waitpid", errno);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) failed += 1;
    for (long at = 0; at < slots; at += 1) {
      if (running[at].pid != pid) continue;
      took[ended++] = now() - running[at].started;
      running[at].pid = 0;
      if (started == count) break;
      usleep(rest);
      running[at].started = now();
      running[at].pid = start(argv + 5, folder, started++);
      break;
    }
  }
  double wall = now() - begin;
  qsort(took, (size_t)count, sizeof *took, by_size);
  printf("{\"wallMs\":%.3f,\"cpuMs\":%.3f,\"failed\":%ld,\"p50Ms\":%.4f,\"p99Ms\":%.4f}\n", wall,
         cpu(RUSAGE_SELF) + cpu(RUSAGE_CHILDREN), failed, took[count / 2], took[count * 99 / 100]);
  return 0;
}
