void tir_conv2d_e1fead1e(const float *restrict x0, const float *restrict x1,
    const float *restrict x2, float *restrict out)
{
    for (int32_t i_v_yy = 0; i_v_yy < 2; ++i_v_yy) {
        for (int32_t i_v_xx = 0; i_v_xx < 5; ++i_v_xx) {
            for (int32_t i_v_ff = 0; i_v_ff < 2; ++i_v_ff) {
                float conv2d_nhwc_intermediate = 0.0f;
                const int32_t cse_v2 = i_v_yy * 10;
                const int32_t cse_v3 = i_v_xx * 2;
                for (int32_t i_v_ry = 0; i_v_ry < 3; ++i_v_ry) {
                    for (int32_t i_v_rx = 0; i_v_rx < 3; ++i_v_rx) {
                        for (int32_t i_v_rc = 0; i_v_rc < 2; ++i_v_rc) {
                            const int32_t cse_v1 = i_v_xx + i_v_rx;
                            const int32_t cse_v4 = i_v_rx * 2;
                            const float t = conv2d_nhwc_intermediate;
                            conv2d_nhwc_intermediate = t + ((i_v_yy + i_v_ry < 3 && 1 <= cse_v1) &&
                                cse_v1 < 6 ? x0[cse_v2 + i_v_ry * 10 + cse_v3 + cse_v4 + i_v_rc - 2]
                                : 0.0f) * x1[i_v_ff * 18 + i_v_ry * 6 + cse_v4 + i_v_rc];
                        }
                    }
                }
                out[cse_v2 + cse_v3 + i_v_ff] = weft_max_f32(conv2d_nhwc_intermediate + x2[i_v_ff],
                    0.0f);
            }
        }
    }
}
