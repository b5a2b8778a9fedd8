void max_pool_s8_2x2_s2x2(const int8_t *restrict x, int8_t *restrict out, int32_t out_h,
    int32_t out_w, int32_t channels, int32_t x_row, int32_t x_pixel, int32_t out_row,
    int32_t out_pixel, int32_t in_h, int32_t in_w, int32_t pad_top, int32_t pad_left, int32_t low,
    int32_t high)
{
    (void)in_h;
    (void)in_w;
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t ch = 0; ch < channels; ++ch) {
                int32_t acc = -128;
                for (int32_t ky = 0; ky < 2; ++ky) {
                    for (int32_t kx = 0; kx < 2; ++kx) {
                        acc = weft_max(acc, (int32_t)x[(oy * 2 + ky - pad_top) * x_row + (ox * 2 +
                            kx - pad_left) * x_pixel + ch]);
                    }
                }
                out[oy * out_row + ox * out_pixel + ch] = (int8_t)weft_clamp(acc, low, high);
            }
        }
    }
}
