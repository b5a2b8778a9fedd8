void depthwise_s8_3x3_float(const int8_t *restrict x, const int8_t *restrict w,
    const int32_t *restrict bias, const int32_t *restrict multiplier, const int8_t *restrict shift,
    int8_t *restrict out, int32_t out_h, int32_t out_w, int32_t channels, int32_t x_row,
    int32_t x_pixel, int32_t w_tap, int32_t out_row, int32_t out_pixel, int32_t zero_point,
    int32_t low, int32_t high)
{
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t ch = 0; ch < channels; ++ch) {
                int32_t acc = bias[ch];
                for (int32_t ky = 0; ky < 3; ++ky) {
                    for (int32_t kx = 0; kx < 3; ++kx) {
                        acc = weft_add_wrap(acc,
                            (int32_t)x[(oy + ky) * x_row + (ox + kx) * x_pixel + ch] *
                            (int32_t)w[ky * w_tap * 3 + kx * w_tap + ch]);
                    }
                }
                out[oy * out_row + ox * out_pixel + ch] = weft_rescale_s8(acc, multiplier[ch],
                    (int32_t)shift[ch], zero_point, low, high);
            }
        }
    }
}
