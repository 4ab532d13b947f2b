/* A QEMU plugin that counts the guest instructions of a program.
 *
 * The guest marks a point by asking for the process group of 0x5E000000, which no process has. At
 * each mark, and at the exit, a line with all instructions so far goes to the file of `out=FILE`.
 *
 *     gcc -O2 -shared -fPIC -o count.so count.c
 *     qemu-aarch64 -plugin count.so,out=FILE PROGRAM
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What is used of qemu-plugin.h, API version 1 (QEMU 7.2), so that no header need be installed. */
struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*on_translation)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*on_exit)(qemu_plugin_id_t, void *);
typedef void (*on_syscall)(qemu_plugin_id_t, unsigned vcpu, int64_t number, uint64_t, uint64_t,
                           uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, on_translation);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op,
                                              void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t, on_syscall);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, on_exit, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);

#define VISIBLE __attribute__((visibility("default")))
#define GETPGID 155 /* on AArch64 */
#define MARK 0x5E000000

VISIBLE int qemu_plugin_version = 1;

static uint64_t instructions;
static FILE *out;

static void write_count(void)
{
    fprintf(out, "%" PRIu64 "\n", instructions);
    fflush(out);
}

/* Each block of code adds its length whenever it runs. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &instructions,
                                             qemu_plugin_tb_n_insns(block));
}

static void called(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t first, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    if (number == GETPGID && first == MARK)
        write_count();
}

static void ended(qemu_plugin_id_t id, void *unused)
{
    write_count();
}

VISIBLE int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    if (argc != 1 || strncmp(argv[0], "out=", 4) || !(out = fopen(argv[0] + 4, "w"))) {
        fprintf(stderr, "count: give out=FILE, a file that can be written\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
