#include <zlib.h>

// A macro in zlib.h, which Swift does not see.
static inline int nephele_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
