void float_sub_s8_sv(const int8_t *restrict a, const int8_t *restrict b,
    const float *restrict factors, int8_t *restrict out, int32_t extent0, int32_t extent1,
    int32_t extent2, int32_t extent3, int32_t a_stride0, int32_t a_stride1, int32_t a_stride2,
    int32_t b_stride0, int32_t b_stride1, int32_t b_stride2, int32_t out_stride0,
    int32_t out_stride1, int32_t out_stride2, int32_t a_zero_point, int32_t b_zero_point,
    int32_t out_zero_point, int32_t low, int32_t high)
{
    for (int32_t i0 = 0; i0 < extent0; ++i0) {
        for (int32_t i1 = 0; i1 < extent1; ++i1) {
            for (int32_t i2 = 0; i2 < extent2; ++i2) {
                for (int32_t i3 = 0; i3 < extent3; ++i3) {
                    out[i0 * out_stride0 + i1 * out_stride1 + i2 * out_stride2 + i3] =
                        weft_float_sub_s8((int32_t)a[i0 * a_stride0 + i1 * a_stride1 + i2 * a_stride2]
                        - a_zero_point, (int32_t)b[i0 * b_stride0 + i1 * b_stride1 + i2 * b_stride2
                        + i3] - b_zero_point, factors[0], factors[1], factors[2], out_zero_point,
                        low, high);
                }
            }
        }
    }
}
