#include "half.h"

typedef uint16_t weight;
#define widen widen_bf16
#define widen16 widen16_bf16
#define NEPHELE_MATMUL(suffix) nephele_matmul_bf16_##suffix
#define NEPHELE_GATHER nephele_gather_panels_bf16
#include "matmul.h"

NEPHELE_KERNEL(nephele_matmul_bf16)
