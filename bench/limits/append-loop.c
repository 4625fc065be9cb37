// What one durable commit costs on this disk: an append and fdatasync after a rest, as often as COUNT says.
//   append-loop FILE COUNT BYTES REST_MS
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int by_size(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "append-loop FILE COUNT BYTES REST_MS\n");
    return 2;
  }
  long count = atol(argv[2]), size = atol(argv[3]);
  useconds_t rest = (useconds_t)atol(argv[4]) * 1000;
  if (count < 1 || size < 1) return 2;
  int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0) {
    perror(argv[1]);
    return 1;
  }
  double *took = calloc((size_t)count, sizeof *took);
  char *bytes = malloc((size_t)size);
  if (took == NULL || bytes == NULL) return 1;
  memset(bytes, 'w', (size_t)size);
  for (long at = 0; at < count; at += 1) {
    usleep(rest);
    double begin = now();
    if (write(file, bytes, (size_t)size) != size || fdatasync(file) != 0) {
      perror(argv[1]);
      return 1;
    }
    took[at] = now() - begin;
  }
  qsort(took, (size_t)count, sizeof *took, by_size);
  printf("{\"p50Ms\":%.4f,\"p99Ms\":%.4f}\n", took[count / 2], took[count * 99 / 100]);
  return 0;
}
