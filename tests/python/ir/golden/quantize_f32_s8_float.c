void quantize_f32_s8_float(const float *restrict x, const float *restrict scale,
    int8_t *restrict out, int32_t extent0, int32_t extent1, int32_t extent2, int32_t extent3,
    int32_t x_stride0, int32_t x_stride1, int32_t x_stride2, int32_t out_stride0,
    int32_t out_stride1, int32_t out_stride2, int32_t zero_point)
{
    for (int32_t i0 = 0; i0 < extent0; ++i0) {
        for (int32_t i1 = 0; i1 < extent1; ++i1) {
            for (int32_t i2 = 0; i2 < extent2; ++i2) {
                for (int32_t i3 = 0; i3 < extent3; ++i3) {
                    out[i0 * out_stride0 + i1 * out_stride1 + i2 * out_stride2 + i3] =
                        weft_float_quantize_s8(x[i0 * x_stride0 + i1 * x_stride1 + i2 * x_stride2 +
                        i3], scale[0], zero_point);
                }
            }
        }
    }
}
