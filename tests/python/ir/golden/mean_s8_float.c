void mean_s8_float(const int8_t *restrict x, int8_t *restrict out, int32_t outer, int32_t reduce0,
    int32_t reduce1, int32_t inner, int32_t x_outer, int32_t x_reduce0, int32_t x_reduce1,
    int32_t x_inner, int32_t out_outer, int32_t out_inner, int32_t offset, int32_t multiplier,
    int32_t shift, int32_t zero_point)
{
    for (int32_t o = 0; o < outer; ++o) {
        for (int32_t i = 0; i < inner; ++i) {
            int32_t acc = 0;
            for (int32_t r0 = 0; r0 < reduce0; ++r0) {
                for (int32_t r1 = 0; r1 < reduce1; ++r1) {
                    acc = acc + (int32_t)x[o * x_outer + r0 * x_reduce0 + r1 * x_reduce1 + i *
                        x_inner];
                }
            }
            out[o * out_outer + i * out_inner] = weft_rescale_s8(acc - offset, multiplier, shift,
                zero_point, -128, 127);
        }
    }
}
