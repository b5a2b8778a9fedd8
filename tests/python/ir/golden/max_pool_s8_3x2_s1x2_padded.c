void max_pool_s8_3x2_s1x2_padded(const int8_t *restrict x, int8_t *restrict out, int32_t out_h,
    int32_t out_w, int32_t channels, int32_t x_row, int32_t x_pixel, int32_t out_row,
    int32_t out_pixel, int32_t in_h, int32_t in_w, int32_t pad_top, int32_t pad_left, int32_t low,
    int32_t high)
{
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t ch = 0; ch < channels; ++ch) {
                int32_t acc = -128;
                for (int32_t ky = 0; ky < 3; ++ky) {
                    for (int32_t kx = 0; kx < 2; ++kx) {
                        const int32_t cse_v1 = oy + ky - pad_top;
                        const int32_t cse_v2 = ox * 2 + kx - pad_left;
                        const int32_t t = acc;
                        acc = weft_max(t, ((0 <= cse_v1 && cse_v1 < in_h) && 0 <= cse_v2) && cse_v2
                            < in_w ? (int32_t)x[cse_v1 * x_row + cse_v2 * x_pixel + ch] : -128);
                    }
                }
                out[oy * out_row + ox * out_pixel + ch] = (int8_t)weft_clamp(acc, low, high);
            }
        }
    }
}
