void fill_s8(int8_t *restrict out, int32_t rows, int32_t columns, int32_t out_row, int32_t value)
{
    for (int32_t row = 0; row < rows; ++row) {
        for (int32_t column = 0; column < columns; ++column) {
            out[row * out_row + column] = (int8_t)value;
        }
    }
}
