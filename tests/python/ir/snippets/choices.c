void choices(int32_t *restrict o, const int32_t *restrict m, int32_t i, int32_t n, int32_t a,
    int32_t b)
{
    const int32_t t = a < b ? a : b;
    o[i] = (t > 0 ? t : 0) + a;
    o[i] = i < n ? m[i] * a : (a != b ? m[n] : 0);
}
