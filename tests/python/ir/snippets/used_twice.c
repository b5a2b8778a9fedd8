void named(int32_t *restrict m, int32_t x, int32_t i)
{
    const int32_t square = x * x;
    const int32_t t = square + square;
    m[i] = t;
}
