void across_blocks(int32_t *restrict m, int32_t n, bool c)
{
    const int32_t a = m[0];
    const int32_t b = m[1];
    for (int32_t i = 0; i < n; ++i) {
        m[i] = a;
    }
    m[0] = b;
    const int32_t d = m[0];
    if (c) {
        m[0] = 7;
        m[1] = d;
    }
}
