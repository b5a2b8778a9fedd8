void depthwise_s8_2x3_s2x1_d1x2_m3(const int8_t *restrict x, const int8_t *restrict w,
    const int32_t *restrict bias, const int32_t *restrict multiplier, const int8_t *restrict shift,
    int8_t *restrict out, int32_t out_h, int32_t out_w, int32_t channels, int32_t x_row,
    int32_t x_pixel, int32_t w_tap, int32_t out_row, int32_t out_pixel, int32_t zero_point,
    int32_t low, int32_t high)
{
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t ch = 0; ch < channels; ++ch) {
                for (int32_t om = 0; om < 3; ++om) {
                    const int32_t cse_v2 = ch * 3;
                    const int32_t cse_v3 = cse_v2 + om;
                    int32_t acc = bias[cse_v3];
                    for (int32_t ky = 0; ky < 2; ++ky) {
                        for (int32_t kx = 0; kx < 3; ++kx) {
                            acc = weft_add_wrap(acc, (int32_t)x[(oy * 2 + ky) * x_row + (kx * 2 +
                                ox) * x_pixel + ch] *
                                (int32_t)w[ky * w_tap * 3 + cse_v2 + kx * w_tap + om]);
                        }
                    }
                    out[cse_v2 + oy * out_row + ox * out_pixel + om] = weft_requantize_s8(acc,
                        multiplier[cse_v3], (int32_t)shift[cse_v3], zero_point, low, high);
                }
            }
        }
    }
}
