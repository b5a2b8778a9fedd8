void requantize_s32_s8_float(const int32_t *restrict x, const int32_t *restrict bias,
    const int32_t *restrict multiplier, const int8_t *restrict shift, int8_t *restrict out,
    int32_t extent0, int32_t extent1, int32_t extent2, int32_t x_stride0, int32_t x_stride1,
    int32_t out_stride0, int32_t out_stride1, int32_t zero_point, int32_t low, int32_t high)
{
    for (int32_t i0 = 0; i0 < extent0; ++i0) {
        for (int32_t i1 = 0; i1 < extent1; ++i1) {
            for (int32_t i2 = 0; i2 < extent2; ++i2) {
                out[i0 * out_stride0 + i1 * out_stride1 + i2] =
                    weft_rescale_s8(weft_add_wrap(x[i0 * x_stride0 + i1 * x_stride1 + i2],
                    bias[i2]), multiplier[i2], (int32_t)shift[i2], zero_point, low, high);
            }
        }
    }
}
