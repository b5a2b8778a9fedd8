void precedence(int32_t *restrict o, int32_t i, int32_t a, int32_t b, int32_t c)
{
    o[i] = a - b - c;
    o[i] = a - (b + c);
    o[i] = (a + b) * c;
    o[i] = a / (b / c);
    o[i] = a * b % c;
    o[i] = a - -1;
    o[i] = ((a + b) >> c) + a;
    o[i] = (int32_t)((((a & b) ^ c) | a) == b);
    o[i] = (int32_t)(int8_t)(a + b);
}
