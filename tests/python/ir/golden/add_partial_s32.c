void add_partial_s32(const int32_t *restrict a, const int32_t *restrict b, int32_t *restrict out,
    int32_t extent0, int32_t extent1, int32_t extent2, int32_t a_stride0, int32_t a_stride1,
    int32_t b_stride0, int32_t b_stride1, int32_t out_stride0, int32_t out_stride1)
{
    for (int32_t i0 = 0; i0 < extent0; ++i0) {
        for (int32_t i1 = 0; i1 < extent1; ++i1) {
            for (int32_t i2 = 0; i2 < extent2; ++i2) {
                out[i0 * out_stride0 + i1 * out_stride1 + i2] =
                    weft_add_wrap(a[i0 * a_stride0 + i1 * a_stride1 + i2],
                    b[i0 * b_stride0 + i1 * b_stride1 + i2]);
            }
        }
    }
}
