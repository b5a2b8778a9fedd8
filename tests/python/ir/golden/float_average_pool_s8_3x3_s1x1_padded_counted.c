void float_average_pool_s8_3x3_s1x1_padded_counted(const int8_t *restrict x,
    const float *restrict factors, int8_t *restrict out, int32_t out_h, int32_t out_w,
    int32_t channels, int32_t x_row, int32_t x_pixel, int32_t out_row, int32_t out_pixel,
    int32_t in_h, int32_t in_w, int32_t pad_top, int32_t pad_left, int32_t in_zero_point,
    int32_t out_zero_point, int32_t low, int32_t high)
{
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t ch = 0; ch < channels; ++ch) {
                float acc = 0.0f;
                for (int32_t ky = 0; ky < 3; ++ky) {
                    for (int32_t kx = 0; kx < 3; ++kx) {
                        const int32_t cse_v1 = oy + ky - pad_top;
                        const int32_t cse_v2 = ox + kx - pad_left;
                        const float t = acc;
                        const float t_2 = factors[0];
                        acc = t + t_2 * (float)(((0 <= cse_v1 && cse_v1 < in_h) && 0 <= cse_v2) &&
                            cse_v2 < in_w ? (int32_t)x[cse_v1 * x_row + cse_v2 * x_pixel + ch] -
                            in_zero_point : 0);
                    }
                }
                out[oy * out_row + ox * out_pixel + ch] = weft_float_average_s8(acc, 9, factors[1],
                    factors[2], out_zero_point, low, high);
            }
        }
    }
}
