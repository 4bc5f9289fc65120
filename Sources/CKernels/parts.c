#include "nephele_kernels.h"

void nephele_parts(const void *args, nephele_index begin, nephele_index end) {
    const nephele_parts_args *a = args;
    nephele_index start = 0;
    for (nephele_index p = 0; p < a->count && start < end; p++) {
        const nephele_part *part = a->parts + p;
        nephele_index from = begin > start ? begin - start : 0;
        nephele_index to = end - start < part->count ? end - start : part->count;
        if (from < to)
            part->task(part->args, from, to);
        start += part->count;
    }
}
