void wrapping(int32_t *restrict o, int32_t i, int32_t a, int32_t b)
{
    const int32_t t = weft_mul_wrap(weft_add_wrap(a, b), b);
    o[i] = weft_sub_wrap(t - a, t);
    o[i * i] = weft_max(weft_min(a, b), a);
}
