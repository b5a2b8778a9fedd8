void partial_conv2d_s32_3x2_s2x1_d1x3_c5(const int8_t *restrict x, const int8_t *restrict w,
    int32_t *restrict out, int32_t out_h, int32_t out_w, int32_t out_channels, int32_t x_row,
    int32_t x_pixel, int32_t out_row, int32_t out_pixel)
{
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t oc = 0; oc < out_channels; ++oc) {
                int32_t acc = 0;
                for (int32_t ky = 0; ky < 3; ++ky) {
                    for (int32_t kx = 0; kx < 2; ++kx) {
                        for (int32_t k = 0; k < 5; ++k) {
                            acc = weft_add_wrap(acc, (int32_t)x[(oy * 2 + ky) * x_row + (kx * 3 +
                                ox) * x_pixel + k] * (int32_t)w[oc * 30 + ky * 10 + kx * 5 + k]);
                        }
                    }
                }
                out[oy * out_row + ox * out_pixel + oc] = acc;
            }
        }
    }
}
