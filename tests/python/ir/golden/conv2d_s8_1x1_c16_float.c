void conv2d_s8_1x1_c16_float(const int8_t *restrict x, const int8_t *restrict w,
    const int32_t *restrict bias, const int32_t *restrict multiplier, const int8_t *restrict shift,
    int8_t *restrict out, int32_t out_h, int32_t out_w, int32_t out_channels, int32_t x_row,
    int32_t x_pixel, int32_t out_row, int32_t out_pixel, int32_t zero_point, int32_t low,
    int32_t high)
{
    for (int32_t oy = 0; oy < out_h; ++oy) {
        for (int32_t ox = 0; ox < out_w; ++ox) {
            for (int32_t oc = 0; oc < out_channels; ++oc) {
                int32_t acc = bias[oc];
                for (int32_t k = 0; k < 16; ++k) {
                    acc = weft_add_wrap(acc, (int32_t)x[oy * x_row + ox * x_pixel + k] *
                        (int32_t)w[oc * 16 + k]);
                }
                out[oy * out_row + ox * out_pixel + oc] = weft_rescale_s8(acc, multiplier[oc],
                    (int32_t)shift[oc], zero_point, low, high);
            }
        }
    }
}
