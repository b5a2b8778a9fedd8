void float_softmax_s8(const int8_t *restrict x, const float *restrict exponential,
    const float *restrict factor, int8_t *restrict out, int32_t rows, int32_t depth, int32_t x_row,
    int32_t out_row, int32_t zero_point)
{
    for (int32_t row = 0; row < rows; ++row) {
        float total;
        int32_t largest = -128;
        const int32_t cse_v1 = row * x_row;
        for (int32_t c = 0; c < depth; ++c) {
            largest = weft_max(largest, (int32_t)x[cse_v1 + c]);
        }
        total = 0.0f;
        for (int32_t c = 0; c < depth; ++c) {
            total = total + exponential[largest - (int32_t)x[cse_v1 + c]];
        }
        for (int32_t c = 0; c < depth; ++c) {
            out[row * out_row + c] =
                weft_float_share_s8(exponential[largest - (int32_t)x[cse_v1 + c]], factor[0], total,
                zero_point);
        }
    }
}
