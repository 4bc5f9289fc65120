// Open MPI, loaded when a program was started by its mpirun: nothing is linked, and nothing is needed elsewhere.
#ifndef NEPHELE_MPI_H
#define NEPHELE_MPI_H

#include <stddef.h>
#include <stdint.h>

/// Loads the library and begins (MPI_Init).
///
/// Returns 0, or what went wrong is in `error`.
int32_t nephele_mpi_begin(const char *library, char *error, size_t room);

/// This process's number among all, and how many there are. 0 where MPI says so.
int32_t nephele_mpi_place(int32_t *rank, int32_t *count);

/// Sends bytes to a process and takes as many from it (MPI_Sendrecv). 0 where all came.
int32_t nephele_mpi_exchange(int32_t partner, const void *own, void *other, int32_t bytes);

/// Ends (MPI_Finalize).
void nephele_mpi_end(void);

#endif
