/* What the unwinder of Debian's libgcc expects of glibc and musl does not have.
 *
 * _dl_find_object: where the tables of the code at an address are. glibc answers from a list of its own;
 * here the loaded parts of the program are walked. The layout is glibc's, of <dlfcn.h>.
 *
 * And it names functions of threads weakly: a static program gets them only if somebody asks for them. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stddef.h>

struct dl_find_object {
    unsigned long long flags;
    void *map_start;
    void *map_end;
    void *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search {
    size_t address;
    struct dl_find_object *found;
};

static int look(struct dl_phdr_info *info, size_t size, void *data) {
    struct search *search = data;
    const ElfW(Phdr) *tables = NULL, *holder = NULL;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        size_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_GNU_EH_FRAME) {
            tables = part;
        } else if (part->p_type == PT_LOAD && search->address >= start &&
                   search->address - start < part->p_memsz) {
            holder = part;
        }
    }
    if (!tables || !holder) {
        return 0;
    }
    search->found->flags = 0;
    search->found->map_start = (void *)(info->dlpi_addr + holder->p_vaddr);
    search->found->map_end = (void *)(info->dlpi_addr + holder->p_vaddr + holder->p_memsz);
    search->found->link_map = NULL;
    search->found->eh_frame = (void *)(info->dlpi_addr + tables->p_vaddr);
    return 1;
}

int _dl_find_object(void *address, struct dl_find_object *found) {
    struct search search = {(size_t)address, found};
    return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}

void *const musl_unwind_needs[] __attribute__((used)) = {
    (void *)pthread_once,         (void *)pthread_mutex_lock,  (void *)pthread_mutex_unlock,
    (void *)pthread_getspecific,  (void *)pthread_setspecific, (void *)pthread_key_create,
    (void *)pthread_mutex_trylock, (void *)pthread_create,     (void *)pthread_cond_wait,
};
