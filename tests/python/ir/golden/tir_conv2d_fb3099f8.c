void tir_conv2d_fb3099f8(const float *restrict x0, const float *restrict x1,
    const float *restrict x2, float *restrict out)
{
    for (int32_t yy = 0; yy < 4; ++yy) {
        for (int32_t xx = 0; xx < 5; ++xx) {
            for (int32_t ff = 0; ff < 3; ++ff) {
                float conv2d_nhwc_intermediate = 0.0f;
                for (int32_t ry = 0; ry < 3; ++ry) {
                    for (int32_t rx = 0; rx < 3; ++rx) {
                        for (int32_t rc = 0; rc < 2; ++rc) {
                            const int32_t cse_v1 = yy + ry;
                            const int32_t cse_v2 = xx + rx;
                            const int32_t cse_v3 = rx * 2;
                            const float t = conv2d_nhwc_intermediate;
                            conv2d_nhwc_intermediate = t + (((1 <= cse_v1 && cse_v1 < 5) && 1 <=
                                cse_v2) && cse_v2 < 6 ?
                                x0[yy * 10 + ry * 10 + xx * 2 + cse_v3 + rc - 12] : 0.0f) *
                                x1[ff * 18 + ry * 6 + cse_v3 + rc];
                        }
                    }
                }
                out[yy * 15 + xx * 3 + ff] = weft_max_f32(conv2d_nhwc_intermediate + x2[ff], 0.0f);
            }
        }
    }
}
