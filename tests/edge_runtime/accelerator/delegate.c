/* A TFLite delegate that takes the whole graph and answers from a recording, rightly or not.
 *
 * It is made for the tests of accelerators, which compile it. The declarations are the parts of
 * TFLite's common.h (tensorflow/lite/core/c/common.h) that it uses, with the fields in that order.
 *
 * Options: `recording`, a file of entries, each an input and the outputs by their places;
 * `fault`, what goes wrong: `wrong` (each byte of an answer is turned around), `slow` (60 ms),
 * `crash` and `hang` in an inference, `dies` as it is destroyed, `refuses` to start, `idle` takes
 * nothing of the graph. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { int size; int data[]; } Places;
typedef struct { float scale; int32_t zero_point; } Quantization;
struct Delegate;

typedef struct {
  int type;
  void *data;
  Places *dims;
  Quantization params;
  int allocation; /* 1 is a constant */
  size_t bytes;
  const void *mapped;
  const char *name;
  struct Delegate *delegate;
  int handle;
  bool stale, variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const Places *signature;
} Tensor;

typedef struct { Places *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;

struct Context;

typedef struct {
  void *(*init)(struct Context *, const char *, size_t);
  void (*free)(struct Context *, void *);
  int (*prepare)(struct Context *, Node *);
  int (*invoke)(struct Context *, Node *);
  const char *(*profile)(const struct Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *external;
  void *(*async)(struct Context *, Node *);
  uint64_t in_place;
} Registration;

typedef struct Context {
  size_t tensor_count;
  int (*plan)(struct Context *, Places **);
  Tensor *tensors;
  void *impl;
  int (*resize)(struct Context *, Tensor *, Places *);
  void (*report)(struct Context *, const char *, ...);
  int (*add)(struct Context *, int, int *);
  int (*node)(struct Context *, int, Node **, Registration **);
  int (*replace)(struct Context *, Registration, const Places *, struct Delegate *);
} Context;

typedef struct Delegate {
  void *data;
  int (*prepare)(Context *, struct Delegate *);
  int (*from_handle)(Context *, struct Delegate *, int, Tensor *);
  int (*to_handle)(Context *, struct Delegate *, int, Tensor *);
  void (*free_handle)(Context *, struct Delegate *, int *);
  int64_t flags;
  void *opaque;
} Delegate;

typedef struct { Delegate *delegate; Places *nodes, *inputs, *outputs; } Params;

static char fault[16];
static char *recording;
static size_t recorded;

static void *init(Context *context, const char *params, size_t length) {
  (void)context;
  (void)length;
  return ((const Params *)params)->inputs;
}

static void release(Context *context, void *data) {
  (void)context;
  (void)data;
}

static int ready(Context *context, Node *node) {
  (void)context;
  (void)node;
  return 0;
}

static int invoke(Context *context, Node *node) {
  if (!strcmp(fault, "crash")) raise(SIGSEGV);
  while (!strcmp(fault, "hang")) sleep(1);
  if (!strcmp(fault, "slow")) usleep(60 * 1000);
  const Tensor *image = NULL;
  size_t entry = 0, seen = 0;
  for (int i = 0; i < node->inputs->size; i++) {
    const Tensor *tensor = &context->tensors[node->inputs->data[i]];
    if (tensor->allocation != 1 && tensor->dims->size == 4) image = tensor;
  }
  if (image == NULL) return 1;
  entry = image->bytes;
  for (int i = 0; i < node->outputs->size; i++)
    entry += context->tensors[node->outputs->data[i]].bytes;
  while (seen < recorded && memcmp(recording + seen, image->data, image->bytes)) seen += entry;
  if (seen >= recorded) {
    context->report(context, "an input that was not recorded");
    return 1;
  }
  const char *answer = recording + seen + image->bytes;
  for (int i = 0; i < node->outputs->size; i++) {
    Tensor *output = &context->tensors[node->outputs->data[i]];
    for (size_t at = 0; at < output->bytes; at++)
      ((char *)output->data)[at] = strcmp(fault, "wrong") ? answer[at] : ~answer[at];
    answer += output->bytes;
  }
  return 0;
}

static int take(Context *context, Delegate *delegate) {
  Registration kernel = {
      .init = init, .free = release, .prepare = ready, .invoke = invoke,
      .custom_name = "recording", .version = 1};
  Places *plan;
  if (!strcmp(fault, "idle")) return 0;
  if (context->plan(context, &plan)) return 1;
  return context->replace(context, kernel, plan, delegate);
}

Delegate *tflite_plugin_create_delegate(
    char **keys, char **values, size_t count, void (*report)(const char *)) {
  Delegate *delegate = calloc(1, sizeof *delegate);
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "fault")) snprintf(fault, sizeof fault, "%s", values[i]);
    if (strcmp(keys[i], "recording")) continue;
    FILE *file = fopen(values[i], "rb");
    if (file == NULL) {
      report("no such recording");
      return NULL;
    }
    fseek(file, 0, SEEK_END);
    recorded = ftell(file);
    rewind(file);
    recording = malloc(recorded);
    recorded = fread(recording, 1, recorded, file);
    fclose(file);
  }
  if (!strcmp(fault, "refuses")) {
    report("no such device");
    return NULL;
  }
  delegate->prepare = take;
  delegate->flags = 1; /* tensors of unknown size: an operator that the CPU lacks is not asked */
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (!strcmp(fault, "dies")) raise(SIGABRT);
  free(delegate);
}
