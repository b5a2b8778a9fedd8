void constants(int32_t *restrict o, int64_t *restrict l, float *restrict f, int32_t i)
{
    o[i] = INT32_MIN;
    o[i] = 2147483647;
    l[i] = -3LL;
    l[i] = 4294967296LL;
    f[i] = 1.0f * -0.1f;
    f[i] = 1e+30f;
    f[i] = -0.0f;
}
