#include "nephele_mpi.h"

#include <dlfcn.h>
#include <stdio.h>

// Of Open MPI's binary interface (libmpi.so.40, versions 4 and 5): handles are addresses of objects in the library, and
// MPI_STATUS_IGNORE is a null pointer.
static struct {
    int (*init)(int *, char ***);
    int (*comm_rank)(void *, int *);
    int (*comm_size)(void *, int *);
    int (*sendrecv)(const void *, int, void *, int, int, void *, int, void *, int, int, void *, void *);
    int (*finalize)(void);
    void *world, *byte;
} mpi;

static void *find(void *library, const char *name, char *error, size_t room) {
    void *symbol = dlsym(library, name);
    if (!symbol)
        snprintf(error, room, "the library has no %s; is it Open MPI's?", name);
    return symbol;
}

int32_t nephele_mpi_begin(const char *library, char *error, size_t room) {
    // Its own parts look its symbols up among all.
    void *loaded = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
    if (!loaded) {
        const char *reason = dlerror();
        snprintf(error, room, "%s", reason ? reason : library);
        return 1;
    }
    if (!(mpi.init = find(loaded, "MPI_Init", error, room)) ||
        !(mpi.comm_rank = find(loaded, "MPI_Comm_rank", error, room)) ||
        !(mpi.comm_size = find(loaded, "MPI_Comm_size", error, room)) ||
        !(mpi.sendrecv = find(loaded, "MPI_Sendrecv", error, room)) ||
        !(mpi.finalize = find(loaded, "MPI_Finalize", error, room)) ||
        !(mpi.world = find(loaded, "ompi_mpi_comm_world", error, room)) ||
        !(mpi.byte = find(loaded, "ompi_mpi_byte", error, room)))
        return 1;
    int code = mpi.init(NULL, NULL);
    if (code)
        snprintf(error, room, "MPI_Init gave %d", code);
    return code;
}

int32_t nephele_mpi_place(int32_t *rank, int32_t *count) {
    int own = 0, all = 0;
    int code = mpi.comm_rank(mpi.world, &own);
    if (!code)
        code = mpi.comm_size(mpi.world, &all);
    *rank = own;
    *count = all;
    return code;
}

int32_t nephele_mpi_exchange(int32_t partner, const void *own, void *other, int32_t bytes) {
    return mpi.sendrecv(own, bytes, mpi.byte, partner, 0, other, bytes, mpi.byte, partner, 0, mpi.world, NULL);
}

void nephele_mpi_end(void) {
    mpi.finalize();
}
