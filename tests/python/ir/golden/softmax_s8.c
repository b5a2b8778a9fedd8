void softmax_s8(const int8_t *restrict x, const int32_t *restrict exponential, int8_t *restrict out,
    int32_t rows, int32_t depth, int32_t x_row, int32_t out_row)
{
    for (int32_t row = 0; row < rows; ++row) {
        int32_t total;
        int32_t factor;
        int32_t largest = -128;
        const int32_t cse_v1 = row * x_row;
        for (int32_t c = 0; c < depth; ++c) {
            largest = weft_max(largest, (int32_t)x[cse_v1 + c]);
        }
        total = 0;
        for (int32_t c = 0; c < depth; ++c) {
            total = total + weft_rounding_shift_right(exponential[largest - (int32_t)x[cse_v1 + c]],
                12);
        }
        factor = weft_softmax_factor(total);
        for (int32_t c = 0; c < depth; ++c) {
            out[row * out_row + c] = weft_softmax_share(factor,
                exponential[largest - (int32_t)x[cse_v1 + c]], total);
        }
    }
}
