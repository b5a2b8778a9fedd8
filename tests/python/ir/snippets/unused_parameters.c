void unused(int8_t *restrict a, int32_t n, float *restrict o, float x, bool b)
{
    (void)a;
    (void)b;
    o[n] = x;
}

void nothing(bool b)
{
    (void)b;
}
