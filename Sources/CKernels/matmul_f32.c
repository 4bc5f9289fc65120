#include "half.h"

typedef float weight;
#define widen(value) (value)
#define widen16 load16
#define NEPHELE_MATMUL(suffix) nephele_matmul_f32_##suffix
#define NEPHELE_GATHER nephele_gather_panels_f32
#include "matmul.h"

NEPHELE_KERNEL(nephele_matmul_f32)
