void float_average_pool_s8_2x3_s2x1(const int8_t *restrict x, const float *restrict factors,
    int8_t *restrict out, int32_t out_h, int32_t out_w, int32_t channels, int32_t x_row,
    int32_t x_pixel, int32_t out_row, int32_t out_pixel, int32_t in_h, int32_t in_w,
    int32_t pad_top, int32_t pad_left, int32_t in_zero_point, int32_t out_zero_point, int32_t low,
    int32_t high)
{
    (void)in_h;
    (void)in_w;
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t ch = 0; ch < channels; ++ch) {
                float acc = 0.0f;
                for (int32_t ky = 0; ky < 2; ++ky) {
                    for (int32_t kx = 0; kx < 3; ++kx) {
                        acc = acc + factors[0] * (float)((int32_t)x[(oy * 2 + ky - pad_top) * x_row
                            + (ox + kx - pad_left) * x_pixel + ch] - in_zero_point);
                    }
                }
                out[oy * out_row + ox * out_pixel + ch] = weft_float_average_s8(acc, 6, factors[1],
                    factors[2], out_zero_point, low, high);
            }
        }
    }
}
