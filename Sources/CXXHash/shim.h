#include <xxhash.h>
#if defined(__x86_64__)
/* The dispatching forms choose AVX-512 or AVX2 at run time; the plain symbols of a
   distribution's library are 5 to 20 times slower. */
#include <xxh_x86dispatch.h>
static inline XXH64_hash_t cxx_hash64(const void *p, size_t n, XXH64_hash_t seed) {
    return XXH3_64bits_withSeed_dispatch(p, n, seed);
}
static inline XXH128_hash_t cxx_hash128(const void *p, size_t n, const void *secret, size_t m) {
    return XXH3_128bits_withSecret_dispatch(p, n, secret, m);
}
static inline XXH_errorcode cxx_update128(XXH3_state_t *s, const void *p, size_t n) {
    return XXH3_128bits_update_dispatch(s, p, n);
}
#else
static inline XXH64_hash_t cxx_hash64(const void *p, size_t n, XXH64_hash_t seed) {
    return XXH3_64bits_withSeed(p, n, seed);
}
static inline XXH128_hash_t cxx_hash128(const void *p, size_t n, const void *secret, size_t m) {
    return XXH3_128bits_withSecret(p, n, secret, m);
}
static inline XXH_errorcode cxx_update128(XXH3_state_t *s, const void *p, size_t n) {
    return XXH3_128bits_update(s, p, n);
}
#endif
