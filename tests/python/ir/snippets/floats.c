void floats(float *restrict o, int32_t *restrict c, int32_t i, float x, float y, int32_t n)
{
    o[i] = (y - (x - y)) / x + (float)n;
    o[i] = x <= y && x != y ? x : y;
    c[i] = (int32_t)x;
}
