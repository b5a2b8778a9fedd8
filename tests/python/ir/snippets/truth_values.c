void logic(int32_t *restrict o, int32_t i, int32_t a, int32_t b, bool p, bool q)
{
    if (((a < b && p) || a >= b) != true) {
        o[i] = a;
    }
    if ((p == q) != ((uint32_t)a < (uint32_t)b)) {
        o[i] = b;
    } else {
        o[i] = a;
    }
}
