void unsigned_ops(int32_t *restrict o, int8_t *restrict p, int32_t i, int32_t a, int32_t b,
    int8_t c)
{
    o[i] = (int32_t)((uint32_t)(int32_t)((uint32_t)(int32_t)((uint32_t)(int32_t)((uint32_t)a /
        (uint32_t)b) % (uint32_t)b) >> (uint32_t)a) << (uint32_t)b);
    o[i] = (int32_t)(uint8_t)c + a;
    p[i] = (int8_t)((uint8_t)c >> (uint8_t)c);
}
