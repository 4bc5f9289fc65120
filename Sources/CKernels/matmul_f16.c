#include "half.h"

typedef uint16_t weight;
#define widen widen_f16
#define widen16 widen16_f16
#define NEPHELE_MATMUL(suffix) nephele_matmul_f16_##suffix
#define NEPHELE_GATHER nephele_gather_panels_f16
#include "matmul.h"

NEPHELE_KERNEL(nephele_matmul_f16)
